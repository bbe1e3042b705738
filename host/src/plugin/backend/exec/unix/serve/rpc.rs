//! JSON-RPC 2.0 by lines, as far as a plugin needs it: requests without batches, responses with a result or an error.

use crate::plugin::backend::process::quoted;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pitstop_reloadable::PluginError;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// The code of the error of who does not know a method.
pub(super) const UNKNOWN_METHOD: i64 = -32601;

/// What a program is asked for.
#[derive(Clone, Copy)]
pub(super) enum Question<'a> {
    Describe,
    Process(&'a [u8]),
}

/// What becomes of a question.
#[derive(Debug, PartialEq)]
pub(super) enum Answer {
    Result(Value),
    Refused {
        code: i64,
        message: String,
    },
    /// There is none, and there will be none.
    Lost(PluginError),
}

#[derive(Serialize)]
struct Request<'a> {
    jsonrpc: &'static str,
    id: u64,
    method: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    params: Option<Params<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Params<'a> {
    Input(&'a str),
    InputBase64(String),
}

/// A question as a line.
pub(super) fn request(id: u64, question: Question<'_>) -> Vec<u8> {
    let (method, params) = match question {
        Question::Describe => ("describe", None),
        Question::Process(input) => ("process", Some(params(input))),
    };
    // Cannot fail: there is nothing in it that JSON has no form for.
    let mut line = serde_json::to_vec(&Request { jsonrpc: "2.0", id, method, params }).unwrap_or_default();
    line.push(b'\n');
    line
}

fn params(input: &[u8]) -> Params<'_> {
    match std::str::from_utf8(input) {
        Ok(text) => Params::Input(text),
        Err(_) => Params::InputBase64(STANDARD.encode(input)),
    }
}

#[derive(Deserialize)]
struct Response {
    jsonrpc: String,
    id: u64,
    /// `null` is a result.
    #[serde(default, deserialize_with = "present")]
    result: Option<Value>,
    error: Option<Refusal>,
}

#[derive(Deserialize)]
struct Refusal {
    code: i64,
    message: String,
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// Reads a line: an answer, and the number of the question.
pub(super) fn response(line: &[u8]) -> Result<(u64, Answer), PluginError> {
    let violation = |why: &str| PluginError::Protocol {
        expected: "a line on standard output with one JSON-RPC 2.0 response, its `id`, and `result` or `error`"
            .to_owned(),
        found: format!("`{}` ({why})", quoted(line)),
    };
    let Response { jsonrpc, id, result, error } =
        serde_json::from_slice(line).map_err(|error| violation(&error.to_string()))?;
    if jsonrpc != "2.0" {
        return Err(violation("`jsonrpc` is not \"2.0\""));
    }
    match (error, result) {
        (Some(Refusal { code, message }), _) => Ok((id, Answer::Refused { code, message })),
        (None, Some(result)) => Ok((id, Answer::Result(result))),
        (None, None) => Err(violation("neither `result` nor `error`")),
    }
}

/// Reads the result of `process`.
pub(super) fn output(result: Value, limit: u64) -> Result<Vec<u8>, PluginError> {
    let output = match result {
        Value::String(text) => text.into_bytes(),
        Value::Object(mut members) => match (members.remove("output"), members.remove("output_base64")) {
            (Some(Value::String(text)), None) => text.into_bytes(),
            (None, Some(Value::String(text))) => STANDARD.decode(&text).map_err(|error| {
                no_output(&format!("`output_base64` that is no base64 ({error})"), &Value::String(text))
            })?,
            _ => return Err(no_output("an object without it", &Value::Object(members))),
        },
        other => return Err(no_output("a result of another type", &other)),
    };
    if output.len() as u64 > limit {
        return Err(PluginError::TooMuchOutput { limit });
    }
    Ok(output)
}

fn no_output(found: &str, value: &Value) -> PluginError {
    PluginError::Protocol {
        expected: "as the result of `process` a text, or an object with `output` or `output_base64`".to_owned(),
        found: format!("{found}: `{}`", quoted(value.to_string().as_bytes())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_request_is_one_line_whatever_is_in_it() {
        let line = |question| String::from_utf8(request(7, question)).expect("text");
        assert_eq!(line(Question::Describe), "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"describe\"}\n");
        let text = line(Question::Process("a\n\"b\"".as_bytes()));
        assert_eq!(
            text,
            "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"process\",\"params\":{\"input\":\"a\\n\\\"b\\\"\"}}\n"
        );
        assert!(line(Question::Process(b"\xff\0")).contains("\"params\":{\"input_base64\":\"/wA=\"}"));
    }

    #[test]
    fn a_response_has_a_number_and_an_answer() {
        let line = br#"{"jsonrpc":"2.0","id":3,"result":null}"#;
        assert_eq!(response(line), Ok((3, Answer::Result(Value::Null))));
        let line = br#"{"jsonrpc":"2.0","id":3,"result":null,"error":{"code":-32601,"message":"no"}}"#;
        let refused = Answer::Refused { code: UNKNOWN_METHOD, message: "no".to_owned() };
        assert_eq!(response(line), Ok((3, refused)));
    }

    #[test]
    fn what_is_no_response_is_quoted() {
        let lines: [&[u8]; 9] = [
            b"hello",
            b"{}",
            b"[]",
            br#"{"jsonrpc":"1.0","id":1,"result":""}"#,
            br#"{"jsonrpc":"2.0","id":1}"#,
            br#"{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":""}}"#,
            br#"{"jsonrpc":"2.0","method":"log"}"#,
            br#"{"jsonrpc":"2.0","id":-1,"result":""}"#,
            b"\xff\xff",
        ];
        for line in lines {
            let error = response(line).expect_err("a violation");
            assert!(matches!(&error, PluginError::Protocol { found, .. } if found.contains(&quoted(line))), "{error}");
        }
        assert!(response(&[b'['; 100_000]).is_err(), "deep nesting is refused");
    }

    #[test]
    fn the_output_is_a_text_or_bytes() {
        assert_eq!(output(json!("a"), 1), Ok(b"a".to_vec()));
        assert_eq!(output(json!({"output": "a"}), 1), Ok(b"a".to_vec()));
        assert_eq!(output(json!({"output_base64": "/wA="}), 2), Ok(vec![0xff, 0]));
        assert_eq!(output(json!("ab"), 1), Err(PluginError::TooMuchOutput { limit: 1 }));
        let wrong = [json!(null), json!(1), json!([]), json!({}), json!({"output": 1}), json!({"output_base64": "*"})];
        for value in wrong {
            assert_eq!(output(value.clone(), 9).map_err(|error| error.kind()), Err("protocol"), "{value}");
        }
        assert!(output(json!({"output": "", "output_base64": ""}), 9).is_err(), "one of both");
    }
}
