//! The AWS SDK for Rust: what a user copies, and one answer for each feature that is named on stdin.

// manual:
use aws_sdk_bedrockruntime::operation::converse::ConverseOutput;
use aws_sdk_bedrockruntime::types::{ContentBlock, ConversationRole, Message};
use aws_sdk_bedrockruntime::{Client, Error};

async fn connect(base_url: &str) -> Client {
    let config = aws_config::from_env().region("us-west-2").endpoint_url(base_url).load().await;
    Client::new(&config)
}

async fn ask(bedrock: &Client, text: &str) -> Result<ConverseOutput, Error> {
    let content = ContentBlock::Text(text.to_owned());
    let message = Message::builder().role(ConversationRole::User).content(content).build()?;
    let model = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
    Ok(bedrock.converse().model_id(model).messages(message).send().await?)
}
// end of manual

use aws_sdk_bedrockruntime::error::{BuildError, DisplayErrorContext, ProvideErrorMetadata};
use aws_sdk_bedrockruntime::primitives::Blob;
use aws_sdk_bedrockruntime::types::{
    CachePointBlock, CachePointType, ConverseStreamOutput, ImageBlock, ImageFormat, ImageSource,
    ResponseStream, TokenUsage, Tool, ToolConfiguration, ToolInputSchema, ToolSpecification,
};
use aws_smithy_types::Document;
use serde_json::{Map, Value, json};
use std::env;
use std::io::{self, Write};

const CLAUDE: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
/// A model that no service has a profile for.
const UNMAPPED: &str = "anthropic.claude-3-opus-20240229-v1:0";
const PROMPT: &str = "How much is the fish?";
const CACHED: &str = "How much is the fish? x-sim-cache-read-tokens=500 x-sim-cache-write-tokens=31";
const THROTTLED: &str = "How much is the fish? x-sim-fault=throttle";
const SLOW: &str = "How much is the fish? x-sim-pace-ms=200 x-sim-chunks=20";
/// A PNG of one pixel.
const PIXEL: &[u8] = include_bytes!("pixel.png");

type Answer = Result<Value, Error>;

// manual: With the service in a header, which is signed too:
use aws_sdk_bedrockruntime::config::interceptors::BeforeTransmitInterceptorContextMut;
use aws_sdk_bedrockruntime::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_bedrockruntime::error::BoxError;

#[derive(Debug)]
struct Named(String);

impl Intercept for Named {
    fn name(&self) -> &'static str {
        "Named"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        context.request_mut().headers_mut().insert("x-tollgate-service", self.0.clone());
        Ok(())
    }
}

fn with_service(bedrock: &Client, service: String) -> Client {
    Client::from_conf(bedrock.config().to_builder().interceptor(Named(service)).build())
}
// end of manual

// manual: With a service key; `AWS_BEARER_TOKEN_BEDROCK` in the environment does the same:
use aws_sdk_bedrockruntime::config::Token;

fn with_key(bedrock: &Client, key: String) -> Client {
    let config = bedrock.config().to_builder().bearer_token(Token::new(key, None));
    Client::from_conf(config.auth_scheme_preference(["httpBearerAuth".into()]).build())
}
// end of manual

/// Returns the client, with what it is to identify itself by.
async fn client() -> Client {
    let bedrock = connect(&env::var("BASE_URL").unwrap_or_default()).await;
    match (env::var("SERVICE"), env::var("SERVICE_KEY")) {
        (Ok(service), _) => with_service(&bedrock, service),
        (_, Ok(key)) => with_key(&bedrock, key),
        _ => bedrock,
    }
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let bedrock = client().await;
    for feature in io::stdin().lines() {
        let answer = show(&bedrock, &feature?).await.unwrap_or_else(|error| {
            let exception = error.code().unwrap_or("Unhandled");
            json!({ "exception": exception, "message": DisplayErrorContext(&error).to_string() })
        });
        writeln!(io::stdout(), "{answer}")?;
    }
    Ok(())
}

async fn show(bedrock: &Client, feature: &str) -> Answer {
    match feature {
        "converse" => Ok(told(&ask(bedrock, PROMPT).await?)),
        "converse-stream" => converse_stream(bedrock).await,
        "invoke" => invoke(bedrock).await,
        "invoke-stream" => invoke_stream(bedrock).await,
        "tools" => tools(bedrock).await,
        "image" => {
            let source = ImageSource::Bytes(Blob::new(PIXEL));
            let image = ImageBlock::builder().format(ImageFormat::Png).source(source).build()?;
            converse(bedrock, CLAUDE, [text(PROMPT), ContentBlock::Image(image)]).await
        }
        "cached-prompt" => {
            let point = CachePointBlock::builder().r#type(CachePointType::Default).build()?;
            converse(bedrock, CLAUDE, [text(CACHED), ContentBlock::CachePoint(point)]).await
        }
        "unmapped" => converse(bedrock, UNMAPPED, [text(PROMPT)]).await,
        "throttled" => Ok(told(&ask(bedrock, THROTTLED).await?)),
        "cancelled" => {
            let request = bedrock.converse_stream().model_id(CLAUDE).messages(message([text(SLOW)])?);
            let mut stream = request.send().await?.stream;
            stream.recv().await?;
            drop(stream);
            Ok(json!({ "cancelled": true }))
        }
        _ => Ok(json!({ "absent": "this program knows no such feature" })),
    }
}

async fn converse<const N: usize>(bedrock: &Client, model: &str, content: [ContentBlock; N]) -> Answer {
    Ok(told(&bedrock.converse().model_id(model).messages(message(content)?).send().await?))
}

async fn converse_stream(bedrock: &Client) -> Answer {
    let message = message([text(PROMPT)])?;
    let mut stream = bedrock.converse_stream().model_id(CLAUDE).messages(message).send().await?.stream;
    let (mut text, mut usage) = (String::new(), None);
    while let Some(event) = stream.recv().await? {
        if let ConverseStreamOutput::ContentBlockDelta(event) = event {
            text.push_str(event.delta().and_then(|delta| delta.as_text().ok()).map_or("", String::as_str));
        } else if let ConverseStreamOutput::Metadata(event) = event {
            usage = event.usage;
        }
    }
    Ok(json!({ "stated": usage.as_ref().map(of_converse), "text": text }))
}

/// InvokeModel's bodies are the vendor's own.
async fn invoke(bedrock: &Client) -> Answer {
    let request = bedrock.invoke_model().model_id(CLAUDE).content_type("application/json");
    let answer = request.body(body()).send().await?;
    let answer: Value = serde_json::from_slice(answer.body().as_ref()).unwrap_or_default();
    Ok(json!({ "stated": answer.get("usage").map(of_message), "text": answer.pointer("/content/0/text") }))
}

async fn invoke_stream(bedrock: &Client) -> Answer {
    let request = bedrock.invoke_model_with_response_stream().model_id(CLAUDE);
    let mut stream = request.content_type("application/json").body(body()).send().await?.body;
    let (mut text, mut usage) = (String::new(), Map::new());
    while let Some(event) = stream.recv().await? {
        let ResponseStream::Chunk(chunk) = event else { continue };
        let event = chunk.bytes().map(Blob::as_ref).unwrap_or_default();
        let event: Value = serde_json::from_slice(event).unwrap_or_default();
        text.push_str(event.pointer("/delta/text").and_then(Value::as_str).unwrap_or_default());
        // The last statement of a count is the one that holds.
        for part in [event.pointer("/message/usage"), event.get("usage")].into_iter().flatten() {
            usage.extend(part.as_object().cloned().unwrap_or_default());
        }
    }
    Ok(json!({ "stated": of_message(&usage.into()), "text": text }))
}

async fn tools(bedrock: &Client) -> Answer {
    let schema = Document::Object([("type".to_owned(), Document::String("object".to_owned()))].into());
    let tool =
        ToolSpecification::builder().name("price").input_schema(ToolInputSchema::Json(schema)).build()?;
    let tools = ToolConfiguration::builder().tools(Tool::ToolSpec(tool)).build()?;
    let message = message([text(PROMPT)])?;
    Ok(told(&bedrock.converse().model_id(CLAUDE).messages(message).tool_config(tools).send().await?))
}

fn text(text: &str) -> ContentBlock {
    ContentBlock::Text(text.to_owned())
}

fn message<const N: usize>(content: [ContentBlock; N]) -> Result<Message, BuildError> {
    Message::builder().role(ConversationRole::User).set_content(Some(content.into())).build()
}

fn body() -> Blob {
    let messages = [json!({ "role": "user", "content": PROMPT })];
    let body = json!({ "anthropic_version": "bedrock-2023-05-31", "max_tokens": 100, "messages": messages });
    Blob::new(body.to_string())
}

fn told(answer: &ConverseOutput) -> Value {
    let message = answer.output().and_then(|output| output.as_message().ok());
    let text = message.and_then(|message| message.content().first()?.as_text().ok());
    json!({ "stated": answer.usage().map(of_converse), "text": text })
}

/// The usage of Converse, in the words of the gateway's metrics.
fn of_converse(usage: &TokenUsage) -> Value {
    let counts = [
        ("input", Some(usage.input_tokens())),
        ("output", Some(usage.output_tokens())),
        ("cache_read", usage.cache_read_input_tokens()),
    ];
    let counts = counts.into_iter().filter_map(|(kind, count)| Some((kind.to_owned(), count?)));
    let written = usage.cache_details().iter();
    let written = written.map(|written| (format!("cache_write_{}", written.ttl()), written.input_tokens()));
    counts.chain(written).map(|(kind, count)| (kind, Value::from(count))).collect()
}

/// The usage of an answer of Anthropic's, in the words of the gateway's metrics.
fn of_message(usage: &Value) -> Value {
    json!({
        "input": usage.get("input_tokens"),
        "output": usage.get("output_tokens"),
        "cache_read": usage.get("cache_read_input_tokens"),
        "cache_write_5m": usage.pointer("/cache_creation/ephemeral_5m_input_tokens"),
        "cache_write_1h": usage.pointer("/cache_creation/ephemeral_1h_input_tokens"),
    })
}
