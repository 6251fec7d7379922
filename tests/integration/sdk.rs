//! The AWS SDK for Rust as a client, changed in nothing but its endpoint and one header.

use crate::gateway::{CLAUDE, NOVA, TestGateway};
use aws_sdk_bedrockruntime::Client;
use aws_sdk_bedrockruntime::config::retry::RetryConfig;
use aws_sdk_bedrockruntime::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_bedrockruntime::error::ProvideErrorMetadata;
use aws_sdk_bedrockruntime::operation::RequestId;
use aws_sdk_bedrockruntime::operation::converse::{ConverseError, ConverseOutput};
use aws_sdk_bedrockruntime::primitives::Blob;
use aws_sdk_bedrockruntime::types::error::ConverseStreamOutputError;
use aws_sdk_bedrockruntime::types::{
    ContentBlock, ConversationRole, ConverseStreamOutput, ConverseTokensRequest, CountTokensInput, Message,
    ResponseStream,
};
use serde_json::{Value, json};

const STEER: [(&str, &str); 4] = [
    ("x-sim-input-tokens", "11"),
    ("x-sim-output-tokens", "5"),
    ("x-sim-cache-read-tokens", "3"),
    ("x-sim-cache-write-tokens", "2"),
];

/// Returns a client of a base URL below the gateway.
fn client(gateway: &TestGateway, prefix: &str) -> Client {
    let config = aws_sdk_bedrockruntime::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(gateway.url(prefix))
        .credentials_provider(Credentials::new("AKIDOFTHECLIENT", "secret", None, None, "test"))
        .retry_config(RetryConfig::disabled())
        .build();
    Client::from_conf(config)
}

fn message() -> Message {
    let text = ContentBlock::Text("hello".to_owned());
    Message::builder().role(ConversationRole::User).content(text).build().unwrap()
}

/// Sends an operation with headers added.
macro_rules! send {
    ($operation:expr, $headers:expr) => {{
        let headers: Vec<(&'static str, &'static str)> = $headers.to_vec();
        let operation = $operation.customize().mutate_request(move |request| {
            for (name, value) in &headers {
                request.headers_mut().insert(*name, *value);
            }
        });
        operation.send().await
    }};
}

/// Says who calls: by header at the base URL, or by a base URL of the service's own.
fn ways() -> [(&'static str, Vec<(&'static str, &'static str)>); 2] {
    let header = STEER.into_iter().chain([("x-tollgate-service", "a")]).collect();
    [("", header), ("/s/a", STEER.to_vec())]
}

/// The metrics have grown by one call with the numbers of `STEER`.
async fn is_counted(gateway: &TestGateway, calls: u32, operation: &str) {
    let labels = |kind: &str| format!("kind=\"{kind}\"");
    for (kind, count) in [("input", 11), ("output", 5), ("cache_read", 3), ("cache_write_5m", 2)] {
        let sum = gateway.sum("tollgate_tokens_total", &[&labels(kind)]).await;
        assert_eq!(sum.to_string(), (count * calls).to_string(), "{operation} {kind}");
    }
    let operation = format!("operation=\"{operation}\"");
    let sum = gateway.sum("tollgate_requests_total", &[&operation, "outcome=\"ok\"", "status=\"200\""]).await;
    assert!(sum > 0.0, "{operation}");
}

async fn converse(
    client: &Client,
    headers: &[(&'static str, &'static str)],
) -> Result<ConverseOutput, ConverseError> {
    let operation = client.converse().model_id(NOVA).messages(message());
    send!(operation, headers).map_err(aws_sdk_bedrockruntime::error::SdkError::into_service_error)
}

#[tokio::test]
async fn plain_and_streamed_conversations() {
    let gateway = TestGateway::start().await;
    let mut calls = 0;
    for (prefix, headers) in ways() {
        let client = client(&gateway, prefix);
        let answer = converse(&client, &headers).await.unwrap();
        let usage = answer.usage().unwrap();
        assert_eq!((usage.input_tokens(), usage.output_tokens()), (11, 5));
        assert_eq!((usage.cache_read_input_tokens(), usage.cache_write_input_tokens()), (Some(3), Some(2)));
        assert_eq!(answer.request_id().map(str::len), Some(36));
        calls += 1;
        is_counted(&gateway, calls, "Converse").await;

        let operation = client.converse_stream().model_id(CLAUDE).messages(message());
        let mut stream = send!(operation, headers).unwrap().stream;
        let (mut text, mut usage) = (String::new(), None);
        while let Some(event) = stream.recv().await.unwrap() {
            if let ConverseStreamOutput::ContentBlockDelta(delta) = event {
                text.push_str(delta.delta().unwrap().as_text().unwrap());
            } else if let ConverseStreamOutput::Metadata(metadata) = event {
                usage = metadata.usage;
            }
        }
        assert_eq!((text.len(), usage.map(|usage| usage.total_tokens())), (120, Some(21)));
        calls += 1;
        is_counted(&gateway, calls, "ConverseStream").await;
    }
    assert_eq!(gateway.simulator.bad_signatures(), 0);
    gateway.stop().await;
}

#[tokio::test]
async fn plain_and_streamed_invocations() {
    let gateway = TestGateway::start().await;
    let body = json!({
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 5,
        "messages": [{ "role": "user", "content": "hello" }],
    });
    let body = Blob::new(body.to_string());
    let mut calls = 0;
    for (prefix, headers) in ways() {
        let client = client(&gateway, prefix);
        let operation = client.invoke_model().model_id(CLAUDE).body(body.clone());
        let answer = send!(operation.content_type("application/json"), headers).unwrap();
        let answer: Value = serde_json::from_slice(answer.body().as_ref()).unwrap();
        assert_eq!(answer["usage"]["input_tokens"], 11);
        calls += 1;
        is_counted(&gateway, calls, "InvokeModel").await;

        let operation = client.invoke_model_with_response_stream().model_id("claude").body(body.clone());
        let mut stream = send!(operation, headers).unwrap().body;
        let mut metrics = Value::Null;
        while let Some(event) = stream.recv().await.unwrap() {
            let ResponseStream::Chunk(chunk) = event else { panic!("{event:?}") };
            let chunk: Value = serde_json::from_slice(chunk.bytes().unwrap().as_ref()).unwrap();
            metrics = chunk["amazon-bedrock-invocationMetrics"].clone();
        }
        assert_eq!((&metrics["inputTokenCount"], &metrics["outputTokenCount"]), (&json!(11), &json!(5)));
        calls += 1;
        is_counted(&gateway, calls, "InvokeModelWithResponseStream").await;
    }
    gateway.stop().await;
}

#[tokio::test]
async fn tokens_are_counted_by_name_and_by_arn() {
    let gateway = TestGateway::start().await;
    let arn = "arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/aclaude";
    for (prefix, headers) in ways() {
        let client = client(&gateway, prefix);
        for model in [CLAUDE, "claude", arn] {
            let request = ConverseTokensRequest::builder().messages(message()).build();
            let input = CountTokensInput::Converse(request);
            let answer = send!(client.count_tokens().model_id(model).input(input), headers).unwrap();
            assert_eq!(answer.input_tokens(), 11);
            let answer = send!(client.converse().model_id(model).messages(message()), headers);
            assert!(answer.is_ok(), "{answer:?}");
        }
    }
    is_counted(&gateway, 6, "CountTokens").await;
    gateway.stop().await;
}

#[tokio::test]
async fn faults_are_the_exceptions_that_an_sdk_knows() {
    let gateway = TestGateway::start().await;
    let client = client(&gateway, "");
    let who = |service| vec![("x-tollgate-service", service)];
    let with = |name, value| vec![("x-tollgate-service", "a"), (name, value)];

    let error = converse(&client, &[]).await.unwrap_err();
    assert!(error.is_validation_exception(), "{error:?}");
    assert!(error.message().unwrap().contains("x-tollgate-service"), "{error:?}");
    let error = converse(&client, &who("nobody")).await.unwrap_err();
    assert!(error.is_access_denied_exception(), "{error:?}");
    assert_eq!(error.meta().request_id().map(str::len), Some(36));
    let operation = client.converse().model_id("vendor.none-v1:0").messages(message());
    let error = send!(operation, who("a")).unwrap_err().into_service_error();
    assert!(error.is_access_denied_exception() && error.message().unwrap().contains(NOVA), "{error:?}");

    // Bedrock's own come through as they are.
    let error = converse(&client, &with("x-sim-fault", "throttle")).await.unwrap_err();
    assert!(error.is_throttling_exception(), "{error:?}");
    let error = converse(&client, &with("x-sim-fault", "status:400")).await.unwrap_err();
    assert!(error.is_validation_exception(), "{error:?}");
    let error = converse(&client, &with("x-sim-fault", "status:500")).await.unwrap_err();
    assert!(error.is_internal_server_exception(), "{error:?}");
    let error = converse(&client, &with("x-sim-fault", "reset-head")).await.unwrap_err();
    assert!(error.is_service_unavailable_exception(), "{error:?}");
    gateway.stop().await;
}

#[tokio::test]
async fn exceptions_within_a_stream_are_typed_too() {
    let gateway = TestGateway::start_with(&[("UPSTREAM__IDLE_TIMEOUT", "300ms")]).await;
    let client = client(&gateway, "/s/a");
    let mut errors = Vec::new();
    // The second is the gateway's own: Bedrock falls silent between two messages.
    for fault in ["exception:3:throttlingException", "stall:0"] {
        let operation = client.converse_stream().model_id(CLAUDE).messages(message());
        let mut stream = send!(operation, [("x-sim-fault", fault)]).unwrap().stream;
        errors.push(loop {
            match stream.recv().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("{fault}: the stream looks whole"),
                Err(error) => break error.into_service_error(),
            }
        });
    }
    assert!(matches!(errors[0], ConverseStreamOutputError::ThrottlingException(_)), "{errors:?}");
    assert!(matches!(errors[1], ConverseStreamOutputError::ServiceUnavailableException(_)), "{errors:?}");
    gateway.stop().await;
}
