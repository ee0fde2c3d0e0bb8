//! A broker that answers what a test wants it to: just enough of one to be asked for topics, for
//! where they end and for what is on them, and to be told to make some. Nobody writes to it.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const PRODUCE: i16 = 0;
const FETCH: i16 = 1;
const LIST_OFFSETS: i16 = 2;
const METADATA: i16 = 3;
const FIND_COORDINATOR: i16 = 10;
const API_VERSIONS: i16 = 18;
const CREATE_TOPICS: i16 = 19;

/// What it knows and says. Its topics have one partition each, with one record and, behind it, what
/// is no record: the mark of a transaction.
#[derive(Clone)]
pub(crate) struct Fake {
    pub(crate) topics: Vec<&'static str>,
    /// Where it says that it is; else where it is.
    pub(crate) advertised: Option<(&'static str, u16)>,
    /// What it answers to those who want topics made; without, it does not know the question.
    pub(crate) refusal: Option<i16>,
}

impl Fake {
    /// Serves it; where.
    pub(crate) async fn serve(self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(self.clone().converse(client, address.port()));
            }
        });
        address.to_string()
    }

    async fn converse(self, mut client: TcpStream, port: u16) -> std::io::Result<()> {
        loop {
            let length = client.read_i32().await?;
            let mut request = vec![0; usize::try_from(length).unwrap()];
            client.read_exact(&mut request).await?;
            let mut request = Reader(&request);
            let (api, _version) = (request.i16(), request.i16());
            let mut answer = Answer(request.take(4).to_vec());
            request.text();
            match api {
                API_VERSIONS => self.versions(&mut answer),
                METADATA => self.metadata(&mut answer, port),
                LIST_OFFSETS => list_offsets(&mut request, &mut answer),
                FETCH => fetch(&mut request, &mut answer).await,
                FIND_COORDINATOR => self.coordinator(&mut answer, port),
                CREATE_TOPICS => self.create(&mut request, &mut answer),
                other => panic!("request {other} was not offered"),
            }
            client.write_i32(i32::try_from(answer.0.len()).unwrap()).await?;
            client.write_all(&answer.0).await?;
        }
    }

    /// In the third version: compact, with tags.
    fn versions(&self, answer: &mut Answer) {
        // A client that could not produce to it would not read what is on it, either.
        let mut known = vec![
            (PRODUCE, 3, 3),
            (FETCH, 4, 4),
            (LIST_OFFSETS, 1, 1),
            (METADATA, 1, 1),
            (FIND_COORDINATOR, 0, 0),
            (API_VERSIONS, 0, 3),
        ];
        known.extend(self.refusal.map(|_| (CREATE_TOPICS, 1, 1)));
        answer.i16(0);
        answer.0.push(u8::try_from(known.len() + 1).unwrap());
        for (api, oldest, newest) in known {
            [api, oldest, newest].into_iter().for_each(|number| answer.i16(number));
            answer.0.push(0);
        }
        answer.i32(0);
        answer.0.push(0);
    }

    fn metadata(&self, answer: &mut Answer, port: u16) {
        let (host, port) = self.advertised.unwrap_or(("127.0.0.1", port));
        answer.i32(1);
        answer.i32(1);
        answer.text(host);
        answer.i32(port.into());
        answer.i16(-1);
        answer.i32(1);
        answer.i32(i32::try_from(self.topics.len()).unwrap());
        for topic in &self.topics {
            answer.i16(0);
            answer.text(topic);
            answer.0.push(0);
            answer.i32(1);
            answer.i16(0);
            // The partition, its leader, one replica, one in sync.
            [0, 1, 1, 1, 1, 1].into_iter().for_each(|number| answer.i32(number));
        }
    }

    fn coordinator(&self, answer: &mut Answer, port: u16) {
        answer.i16(0);
        answer.i32(1);
        answer.text("127.0.0.1");
        answer.i32(port.into());
    }

    fn create(&self, request: &mut Reader<'_>, answer: &mut Answer) {
        let count = request.i32();
        answer.i32(count);
        for _ in 0..count {
            answer.text(request.text());
            answer.i16(self.refusal.unwrap());
            answer.i16(-1);
            request.take(6);
            assert_eq!(request.i32(), 0, "no assignments");
            for _ in 0..request.i32() {
                request.text();
                request.text();
            }
        }
    }
}

/// Offset 0 is the oldest, 2 the next.
fn list_offsets(request: &mut Reader<'_>, answer: &mut Answer) {
    request.i32();
    let count = request.i32();
    answer.i32(count);
    for _ in 0..count {
        answer.text(request.text());
        let count = request.i32();
        answer.i32(count);
        for _ in 0..count {
            answer.i32(request.i32());
            answer.i16(0);
            answer.i64(-1);
            answer.i64(if request.i64() == -2 { 0 } else { 2 });
        }
    }
}

async fn fetch(request: &mut Reader<'_>, answer: &mut Answer) {
    request.take(17);
    answer.i32(0);
    let count = request.i32();
    answer.i32(count);
    let mut is_empty = true;
    for _ in 0..count {
        answer.text(request.text());
        let count = request.i32();
        answer.i32(count);
        for _ in 0..count {
            answer.i32(request.i32());
            let offset = request.i64();
            request.i32();
            answer.i16(0);
            answer.i64(2);
            answer.i64(2);
            answer.i32(0);
            let mut records = Vec::new();
            if offset < 1 {
                records.extend(batch(0, 0, b"k", b"v"));
            }
            if offset < 2 {
                // Of a transaction, and about one: it was committed.
                records.extend(batch(1, 0x30, b"\0\0\0\x01", b"\0\0\0\0\0\0"));
                is_empty = false;
            }
            answer.i32(i32::try_from(records.len()).unwrap());
            answer.0.extend(records);
        }
    }
    if is_empty {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

/// A batch of one record.
fn batch(offset: i64, attributes: i16, key: &[u8], value: &[u8]) -> Vec<u8> {
    let byte = |number: usize| u8::try_from(number * 2).unwrap();
    // No attributes, no differences of time and offset, no headers. Numbers are in zigzag.
    let mut record = vec![0, 0, 0, byte(key.len())];
    record.extend(key);
    record.push(byte(value.len()));
    record.extend(value);
    record.push(0);
    let mut rest = Answer(Vec::new());
    rest.i32(0);
    rest.0.push(2);
    rest.i32(0);
    rest.i16(attributes);
    rest.i32(0);
    [1, 1, 7].into_iter().for_each(|number| rest.i64(number));
    rest.i16(0);
    [-1, 1].into_iter().for_each(|number| rest.i32(number));
    rest.0.push(byte(record.len()));
    rest.0.extend(record);
    let mut batch = Answer(Vec::new());
    batch.i64(offset);
    batch.i32(i32::try_from(rest.0.len()).unwrap());
    batch.0.extend(rest.0);
    batch.0
}

struct Reader<'r>(&'r [u8]);

impl<'r> Reader<'r> {
    fn take(&mut self, count: usize) -> &'r [u8] {
        let (taken, rest) = self.0.split_at(count);
        self.0 = rest;
        taken
    }

    fn i16(&mut self) -> i16 {
        i16::from_be_bytes(self.take(2).try_into().unwrap())
    }

    fn i32(&mut self) -> i32 {
        i32::from_be_bytes(self.take(4).try_into().unwrap())
    }

    fn i64(&mut self) -> i64 {
        i64::from_be_bytes(self.take(8).try_into().unwrap())
    }

    fn text(&mut self) -> &'r str {
        let length = usize::try_from(self.i16()).unwrap_or_default();
        std::str::from_utf8(self.take(length)).unwrap()
    }
}

struct Answer(Vec<u8>);

impl Answer {
    fn i16(&mut self, number: i16) {
        self.0.extend(number.to_be_bytes());
    }

    fn i32(&mut self, number: i32) {
        self.0.extend(number.to_be_bytes());
    }

    fn i64(&mut self, number: i64) {
        self.0.extend(number.to_be_bytes());
    }

    fn text(&mut self, text: &str) {
        self.i16(i16::try_from(text.len()).unwrap());
        self.0.extend(text.as_bytes());
    }
}
