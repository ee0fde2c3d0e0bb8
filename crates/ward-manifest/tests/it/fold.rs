//! Folds what a test shows, so that snapshots fit the line length of the repository.

/// Columns a snapshot has beside its indentation.
const WIDTH: usize = 79;

/// Breaks lines longer than `WIDTH` at blanks; what goes on is marked with `… `.
pub(crate) fn fold(text: &str) -> String {
    let lines: Vec<String> = text.split('\n').map(fold_line).collect();
    lines.join("\n")
}

fn fold_line(line: &str) -> String {
    let mut folded = String::new();
    let mut column = 0;
    for word in line.split_inclusive(' ') {
        let length = word.trim_end().chars().count();
        if column > 0 && column + length > WIDTH {
            folded.truncate(folded.trim_end().len());
            folded.push_str("\n… ");
            column = 2;
        }
        folded.push_str(word);
        column += word.chars().count();
    }
    folded
}
