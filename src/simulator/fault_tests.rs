//! What goes wrong on demand, seen byte by byte.

use super::fixtures::{Ask, CALLS, CLAUDE, Heard, read, start, start_with};
use super::{Simulator, TokenTotals};
use crate::domain::MissingReason;
use aws_smithy_eventstream::frame::{DecodedFrame, MessageFrameDecoder};
use std::io::ErrorKind;
use std::time::Duration;
use tokio::io::AsyncReadExt;

fn stream() -> Ask {
    Ask::call(CLAUDE, "converse-stream")
}

/// Returns the types of an event stream's messages, and whether nothing is left over.
fn kinds(body: &[u8]) -> (Vec<String>, bool) {
    let mut rest = body;
    let mut decoder = MessageFrameDecoder::new();
    let mut kinds = Vec::new();
    let mut read = 0;
    while let DecodedFrame::Complete(message) = decoder.decode_frame(&mut rest).unwrap() {
        let names = [":event-type", ":exception-type"];
        let header = message.headers().iter().find(|header| names.contains(&header.name().as_str()));
        kinds.push(header.unwrap().value().as_string().unwrap().as_str().to_owned());
        read = body.len() - rest.len();
    }
    (kinds, read == body.len())
}

fn nothing(simulator: &Simulator) -> bool {
    simulator.stated() == TokenTotals::default() && simulator.stated_by_request().is_empty()
}

#[tokio::test]
async fn an_error_of_any_status_can_be_had() {
    let simulator = start().await;
    for (fault, status, kind) in [
        ("throttle", 429, "ThrottlingException"),
        ("status:503", 503, "ServiceUnavailableException"),
        ("status:500", 500, "InternalServerException"),
        ("status:424", 424, "ModelErrorException"),
    ] {
        let heard = stream().fault(fault).send(&simulator).await;
        assert_eq!((heard.status, heard.header("x-amzn-errortype")), (status, kind));
        assert_eq!(heard.header("x-amzn-requestid").len(), 36);
    }
    assert!(nothing(&simulator));
}

#[tokio::test]
async fn an_exception_ends_a_stream() {
    let simulator = start().await;
    let heard = stream().fault("exception:3:throttlingException").send(&simulator).await;
    let expected = ["messageStart", "contentBlockDelta", "contentBlockDelta", "throttlingException"];
    assert_eq!(kinds(&heard.body), (expected.map(str::to_owned).to_vec(), true));
    assert!(heard.is_whole && heard.status == 200 && nothing(&simulator));
    let heard = stream().fault("exception:99:internalServerException").send(&simulator).await;
    let (kinds, _) = kinds(&heard.body);
    assert_eq!(kinds[kinds.len() - 2..], ["metadata", "internalServerException"]);
    assert_eq!(simulator.stated_by_request().len(), 1);
}

#[tokio::test]
async fn a_connection_is_reset_after_so_many_bytes() {
    let simulator = start().await;
    for operation in ["converse", "converse-stream"] {
        for bytes in [0, 1, 100] {
            let ask = Ask::call(CLAUDE, operation).fault(&format!("reset:{bytes}"));
            let heard = ask.send(&simulator).await;
            assert_eq!((heard.status, heard.body.len()), (200, bytes), "{operation}");
            assert_eq!((heard.is_whole, heard.error), (false, Some(ErrorKind::ConnectionReset)));
        }
    }
    assert!(nothing(&simulator));
    let heard = stream().fault("reset:1000000").send(&simulator).await;
    assert_eq!((heard.is_whole, heard.error), (false, Some(ErrorKind::ConnectionReset)));
    assert_eq!(simulator.stated_by_request().len(), 1);
    let heard = stream().fault("reset-head").send(&simulator).await;
    assert_eq!((heard.status, heard.error), (0, Some(ErrorKind::ConnectionReset)));
    assert_eq!(simulator.seen().last().unwrap().status, None);
}

#[tokio::test]
async fn a_stalled_answer_ends_when_the_simulator_does() {
    for (fault, status, bytes) in [("stall:70", 200, 70), ("stall:0", 200, 0), ("stall-head", 0, 0)] {
        let simulator = start().await;
        let mut connection = stream().fault(fault).open(&simulator).await;
        let mut before = Vec::new();
        while !heard_all(&before, status, bytes, &simulator) {
            if status == 0 {
                tokio::task::yield_now().await;
            } else {
                assert_ne!(connection.read_buf(&mut before).await.unwrap(), 0);
            }
        }
        assert!(nothing(&simulator));
        simulator.stop().await;
        let mut after = Vec::new();
        let _ = connection.read_to_end(&mut after).await;
        assert!(after.is_empty());
    }
}

/// Tells whether all came that is to come before the silence.
fn heard_all(bytes: &[u8], status: u16, length: usize, simulator: &Simulator) -> bool {
    let heard = Heard::parse(bytes, None);
    simulator.seen().len() == 1 && heard.status == status && heard.body.len() == length
}

#[tokio::test]
async fn a_client_that_leaves_gets_no_statement() {
    let simulator = start_with(Duration::from_hours(1)).await;
    let mut connection = stream().open(&simulator).await;
    let mut bytes = Vec::new();
    while Heard::parse(&bytes, None).body.is_empty() {
        assert_ne!(connection.read_buf(&mut bytes).await.unwrap(), 0);
    }
    drop(connection);
    assert!(nothing(&simulator));
    simulator.stop().await;
}

#[tokio::test]
async fn a_truncated_body_ends_as_if_it_were_whole() {
    let simulator = start().await;
    let whole = stream().send(&simulator).await;
    assert_eq!(simulator.stated_by_request().len(), 1);
    let short = whole.body.len() - 1;
    let heard = stream().fault(&format!("truncate:{short}")).send(&simulator).await;
    assert!(heard.is_whole && heard.error.is_none());
    assert_eq!((heard.body.len(), kinds(&heard.body).1), (short, false));
    let heard = Ask::call(CLAUDE, "converse").fault("truncate:50").send(&simulator).await;
    assert_eq!((heard.is_whole, heard.body.len()), (true, 50));
    assert_eq!(simulator.stated_by_request().len(), 1);
}

#[tokio::test]
async fn an_unmetered_answer_states_nothing_anywhere() {
    let simulator = start().await;
    for model in [CLAUDE, "amazon.titan-text-express-v1", "meta.llama3-8b-instruct-v1:0", "openai.gpt-x"] {
        for (name, operation) in CALLS {
            let heard = Ask::call(model, name).fault("unmetered").send(&simulator).await;
            assert_eq!((heard.status, heard.is_whole), (200, true));
            let reading = read(operation, model, &heard);
            assert_eq!(reading.missing, Some(MissingReason::NoStatement), "{model} {name}");
            assert!(reading.raw.is_none_or(|raw| raw.get() == "{}"), "{model} {name}");
        }
    }
    assert!(nothing(&simulator));
}

#[tokio::test]
async fn a_body_is_cut_into_pieces() {
    let simulator = start().await;
    let whole = stream().send(&simulator).await;
    let heard = stream().with("x-sim-split", "7").send(&simulator).await;
    assert!(heard.is_whole && heard.chunks.iter().rev().skip(1).all(|length| *length == 7));
    assert_eq!(heard.chunks.len(), whole.body.len().div_ceil(7));
    assert_eq!(kinds(&heard.body), kinds(&whole.body));
    let heard = stream().with("x-sim-content-length", "1").send(&simulator).await;
    assert_eq!(heard.header("content-length"), whole.body.len().to_string());
    let heard = stream().with("x-sim-chunks", "2").with("x-sim-pace-ms", "1").send(&simulator).await;
    assert_eq!(heard.chunks.len(), 1 + 2 + 3);
    assert_eq!(simulator.stated_by_request().len(), 4);
}
