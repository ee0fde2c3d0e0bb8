//! A broker that wants a password: just enough of one to see what it is sent, and to refuse it.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use ward_events::{Connection, KafkaLog, Log, TopicShape};

/// Of no topic that is ever made.
const SHAPE: TopicShape =
    TopicShape { partitions: 1, replicas: 1, keep: Duration::from_secs(3600) };

const API_VERSIONS: i16 = 18;
const SASL_HANDSHAKE: i16 = 17;
const SASL_AUTHENTICATE: i16 = 36;
const SASL_AUTHENTICATION_FAILED: i16 = 58;

/// Serves a connection until its client goes, and passes on what it authenticates with.
async fn serve(mut client: TcpStream, said: mpsc::UnboundedSender<Vec<u8>>) -> std::io::Result<()> {
    loop {
        let length = client.read_i32().await?;
        let mut request = vec![0; usize::try_from(length).unwrap()];
        client.read_exact(&mut request).await?;
        let mut body = request.as_slice();
        let (api, _version, correlation) =
            (body.read_i16().await?, body.read_i16().await?, body.read_i32().await?);
        let name = body.read_i16().await?;
        body = &body[usize::try_from(name).unwrap()..];
        let mut answer = correlation.to_be_bytes().to_vec();
        match api {
            // No error, the three in a compact array, no throttling, no tags.
            API_VERSIONS => {
                answer.extend([0, 0, 4]);
                for (api, newest) in
                    [(API_VERSIONS, 3i16), (SASL_HANDSHAKE, 1), (SASL_AUTHENTICATE, 1)]
                {
                    answer.extend(api.to_be_bytes());
                    answer.extend([0, 0]);
                    answer.extend(newest.to_be_bytes());
                    answer.push(0);
                }
                answer.extend([0; 5]);
            }
            SASL_HANDSHAKE => answer.extend(b"\0\0\0\0\0\x01\0\x05PLAIN"),
            SASL_AUTHENTICATE => {
                said.send(body[4..].to_vec()).unwrap();
                answer.extend(SASL_AUTHENTICATION_FAILED.to_be_bytes());
                answer.extend(b"\0\x07go away\0\0\0\0\0\0\0\0\0\0\0\0");
            }
            other => panic!("request {other} before authentication"),
        }
        client.write_i32(i32::try_from(answer.len()).unwrap()).await?;
        client.write_all(&answer).await?;
    }
}

#[tokio::test]
async fn passwords_reach_the_broker_and_nobody_else() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (sender, mut said) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(serve(client, sender.clone()));
        }
    });
    let options = [
        ("security.protocol", "sasl_plaintext"),
        ("sasl.mechanism", "PLAIN"),
        ("sasl.username", "ward"),
        ("sasl.password", "hunter2"),
    ];
    let options: BTreeMap<_, _> =
        options.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let connection = Connection::new(&address, options).unwrap();
    let log = KafkaLog::new(connection);
    let refused = log.ensure_topics(&["topic".to_owned()], SHAPE).await.unwrap_err();
    assert_eq!(said.recv().await.unwrap(), b"\0ward\0hunter2");
    let refused = refused.to_string();
    assert!(refused.contains("go away") && !refused.contains("hunter2"), "{refused}");
}

#[tokio::test]
async fn a_broker_that_is_not_there_is_said_to_be_not_there() {
    // Bound and let go: nobody answers.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let connection = Connection::new(&address, BTreeMap::new()).unwrap();
    let log = KafkaLog::new(connection);
    let trouble = log.ensure_topics(&["topic".to_owned()], SHAPE).await.unwrap_err();
    assert!(trouble.to_string().contains("refused"), "{trouble}");
}
