//! [`operations!`](crate::operations): from lines to a table and its dispatch.

/// Makes the type `$handlers`, one variant for each operation, with its `TABLE` and its `answer`.
///
/// `$rules` are the service's lines of the policy, which has the scopes; `$database` is the
/// variable with the address of the database whose audit log is told of those whom guard refused.
///
/// A line is `Variant = Verb "pattern" as "name", [takes document,] answers [those] => handler;`.
/// The handler is an async function of `&Call`, and of a [`Document`](crate::body::Document) if the
/// operation takes one, and returns `Result<_, Problem>` of what becomes the component's answer.
#[macro_export]
macro_rules! operations {
    (
        $(#[$about:meta])*
        $handlers:ident -> $answer:ty, ruled by $rules:expr
            $(, refusals in $database:expr)?;
        $(
            $variant:ident = $verb:ident $pattern:literal as $name:literal,
            $(takes $takes:expr,)? answers $answers:expr => $handler:path;
        )+
    ) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum $handlers {
            $($variant,)+
        }

        impl $handlers {
            /// All operations.
            pub(crate) const TABLE: $crate::route::Table<Self> = $crate::route::Table::new(&[
                $($crate::route::Route {
                    handler: Self::$variant,
                    operation: $crate::route::Operation {
                        name: $name,
                        verb: $crate::route::Verb::$verb,
                        pattern: $pattern,
                        scope: $crate::route::scope(
                            $rules, $name, $crate::route::Verb::$verb, $pattern,
                        ),
                        takes: $crate::operations!(@takes $($takes)?),
                        answers: $answers,
                    },
                },)+
            ], $rules);

            /// Answers a request.
            pub(crate) async fn answer<B: $crate::body::Incoming>(
                method: &$crate::http::Method,
                uri: &$crate::http::Uri,
                headers: &$crate::http::HeaderMap,
                body: B,
            ) -> ::core::result::Result<$answer, $crate::Problem> {
                $(if let Some(noted) = $crate::refusal::answer(headers, $database).await {
                    return Ok(noted?.into());
                })?
                let (handler, call) = match Self::TABLE.find(method, uri, headers)? {
                    $crate::route::Found::Operation(handler, call) => (handler, call),
                    $crate::route::Found::Options(reply) => return Ok(reply.into()),
                };
                match handler {
                    $(Self::$variant => {
                        let answer = $handler(
                            &call
                            $(, $crate::body::Document::new(headers, body, $takes.bytes_max()))?
                        );
                        Ok(answer.await?.into())
                    })+
                }
            }
        }
    };
    (@takes) => { $crate::route::Takes::Nothing };
    (@takes $takes:expr) => { $takes };
}
