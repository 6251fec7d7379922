//! Plain calls, each way of naming the service, and what is recorded of them.

use crate::gateway::{CLAUDE, NOVA, TestGateway, converse_body};
use serde_json::json;
use std::net::TcpStream;
use std::time::Duration;

#[tokio::test]
async fn a_call_leaves_under_the_profile_of_its_service() {
    let gateway = TestGateway::start().await;
    let ways: [(&str, &[(&str, &str)]); 4] = [
        ("", &[("x-tollgate-service", "a")]),
        ("/s/a", &[]),
        ("", &[("authorization", "Bearer tg_of-a")]),
        ("", &[("x-api-key", "tg_of-a"), ("x-tollgate-service", "a")]),
    ];
    for (prefix, identity) in ways {
        let path = format!("{prefix}/model/{NOVA}/converse");
        let steer =
            [("x-sim-input-tokens", "7"), ("x-sim-output-tokens", "3"), ("content-type", "application/json")];
        let headers: Vec<_> = identity.iter().copied().chain(steer).collect();
        let answer = gateway.post(&path, &headers, &converse_body("hello")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.json()["usage"]["inputTokens"], 7);
        assert_eq!(answer.header("x-tollgate-service"), "a");
        assert!(answer.header("x-tollgate-profile").ends_with(":application-inference-profile/anova"));
        let record = gateway.record(&answer).await;
        assert_eq!(record["usage"]["input_tokens"], json!(7));
        assert_eq!(
            (record["outcome"].as_str(), record["attribution"].as_str()),
            (Some("ok"), Some("profile"))
        );
        assert_eq!(record["tags"], json!({ "team": "red" }));
    }
    let seen = gateway.simulator.seen();
    assert_eq!(seen.len(), 4);
    let wire = "/model/arn%3Aaws%3Abedrock%3Aus-west-2%3A123456789012%3Aapplication-inference-profile%2Fanova/converse";
    assert!(seen.iter().all(|seen| seen.path == wire), "{seen:?}");
    assert_eq!(gateway.simulator.bad_signatures(), 0);
    let labels = [r#"service="a""#, r#"profile="anova""#];
    assert!((gateway.sum("tollgate_tokens_total", &labels).await - 40.0).abs() < 0.1);
    gateway.stop().await;
}

#[tokio::test]
async fn a_stream_is_settled_before_its_end_is_seen() {
    let gateway = TestGateway::start().await;
    let path = format!("/s/b/model/{CLAUDE}/converse-stream");
    for _ in 0..20 {
        let before = gateway.sum("tollgate_tokens_total", &[]).await;
        let answer = gateway
            .post(&path, &[("x-sim-output-tokens", "5"), ("x-sim-input-tokens", "2")], &converse_body("hi"))
            .await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!((gateway.sum("tollgate_tokens_total", &[]).await - before - 7.0).abs() < 0.1);
    }
    gateway.stop().await;
}

#[tokio::test]
async fn a_burst_of_connections_finds_room() {
    let gateway = TestGateway::start().await;
    let address = gateway.server.data();
    // Nothing is accepted while this thread connects; what is turned away tries again only after a second.
    let connect = |_| TcpStream::connect_timeout(&address, Duration::from_millis(900));
    let connections: std::io::Result<Vec<_>> = (0..300).map(connect).collect();
    assert!(connections.is_ok(), "{connections:?}");
    drop(connections);
    gateway.stop().await;
}
