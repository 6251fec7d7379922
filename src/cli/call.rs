//! `tollgate call`

use super::{Context, Failure, service_name};
use crate::config::CaBundle;
use crate::domain::ServiceName;
use crate::forward::{aws_trust, root_cause};
use anyhow::Context as _;
use aws_sdk_bedrockruntime::Client;
use aws_sdk_bedrockruntime::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_bedrockruntime::error::ProvideErrorMetadata;
use aws_sdk_bedrockruntime::operation::converse::ConverseOutput;
use aws_sdk_bedrockruntime::types::{ContentBlock, ConversationRole, Message};
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use clap::Args;
use http::Uri;
use std::io::Write;
use std::path::PathBuf;

/// What to call, and through which gateway.
#[derive(Debug, Args)]
pub struct CallArgs {
    /// The service that carries the cost.
    #[arg(long, value_parser = service_name)]
    service: ServiceName,
    /// The model: its id, an alias of the service, or "default".
    #[arg(long, default_value = "default")]
    model: String,
    /// The gateway.
    #[arg(long, value_name = "URL", env = "TOLLGATE_URL", value_parser = base_url)]
    #[arg(default_value = "http://127.0.0.1:8080")]
    url: String,
    /// A file of CA certificates, in PEM, that are trusted beside this machine's own.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// The most tokens to answer with.
    #[arg(long, value_name = "TOKENS", default_value_t = 512)]
    max_tokens: i32,
    /// What to say.
    prompt: String,
}

/// Makes one Converse call and prints what came back.
pub(super) fn run(context: &mut Context<'_>, args: &CallArgs) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let answer = runtime.block_on(call(args))?;
    print(context.out, &answer)
}

async fn call(args: &CallArgs) -> Result<ConverseOutput, Failure> {
    let message = Message::builder()
        .role(ConversationRole::User)
        .content(ContentBlock::Text(args.prompt.clone()))
        .build()
        .context("the prompt")?;
    let limit =
        aws_sdk_bedrockruntime::types::InferenceConfiguration::builder().max_tokens(args.max_tokens).build();
    let service = args.service.to_string();
    let bundle = args.ca.as_deref().map(CaBundle::read).transpose();
    let bundle = bundle.map_err(|error| Failure::refused(error, "name another file with --ca"))?;
    let sending = client(&args.url, bundle.as_ref())?
        .converse()
        .model_id(&args.model)
        .messages(message)
        .inference_config(limit)
        .customize()
        .mutate_request(move |request| {
            request.headers_mut().insert("x-tollgate-service", service.clone());
        })
        .send();
    sending.await.map_err(|error| match error.as_service_error() {
        Some(fault) => {
            let kind = fault.code().unwrap_or("Error");
            let message = fault.message().unwrap_or("no message");
            Failure::Other(anyhow::anyhow!("{kind}: {message}"))
        }
        // The SDK wraps what the system says in its own layers, which tell a user nothing.
        None => Failure::refused(
            format!("no answer from {}: {}", args.url, root_cause(&error)),
            "start a gateway with `tollgate serve` or `tollgate demo`, or name another with --url; --ca names the CAs of \
             one that speaks TLS",
        ),
    })
}

fn base_url(text: &str) -> Result<String, String> {
    let uri = text.parse::<Uri>().ok().filter(|uri| matches!(uri.scheme_str(), Some("http" | "https")));
    uri.map(|_| text.to_owned()).ok_or_else(|| "write it with http:// or https:// and a host".to_owned())
}

/// Returns a client of the gateway, which it speaks to without a proxy: the gateway is near, often on loopback. What it
/// signs with does not matter: the gateway signs with its own.
pub(super) fn client(url: &str, bundle: Option<&CaBundle>) -> anyhow::Result<Client> {
    let tls = Provider::rustls(CryptoMode::AwsLc);
    let http = aws_smithy_http_client::Builder::new().tls_provider(tls).tls_context(aws_trust(bundle)?);
    let credentials = Credentials::new("tollgate", "tollgate", None, None, "tollgate call");
    let config = aws_sdk_bedrockruntime::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(url)
        .credentials_provider(credentials)
        .http_client(http.build_https())
        .build();
    Ok(Client::from_conf(config))
}

fn print(out: &mut dyn Write, answer: &ConverseOutput) -> Result<(), Failure> {
    let message = answer.output().and_then(|output| output.as_message().ok());
    for block in message.map(Message::content).unwrap_or_default() {
        if let ContentBlock::Text(text) = block {
            writeln!(out, "{text}")?;
        }
    }
    match answer.usage() {
        Some(usage) => writeln!(
            out,
            "\ninput {} tokens, output {} tokens, cache read {}, cache write {}",
            usage.input_tokens(),
            usage.output_tokens(),
            usage.cache_read_input_tokens().unwrap_or_default(),
            usage.cache_write_input_tokens().unwrap_or_default(),
        )?,
        None => writeln!(out, "\nno usage was stated")?,
    }
    Ok(())
}
