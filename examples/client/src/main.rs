//! Listens to a bridge's conferences and quiets each line that plays music or noise, until that is over:
//! `quiet_noise http://127.0.0.1:8080 conclave_...`. The token needs the scopes live:read and live:act.

use std::error::Error;
use std::io::{BufRead, BufReader};

use serde_json::{Value, json};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, bridge, token] = &arguments[..] else {
        return Err("usage: quiet_noise http://127.0.0.1:8080 TOKEN".into());
    };
    loop {
        listen(bridge, token)?; // a stream ends after a while; the next begins with how it stands then
    }
}

/// Listens until the stream ends.
pub(crate) fn listen(bridge: &str, token: &str) -> Result<(), Box<dyn Error>> {
    let stream = ureq::get(format!("{bridge}/api/v1/events"))
        .header("authorization", format!("Bearer {token}"))
        .call()?;
    for line in BufReader::new(stream.into_body().into_reader()).lines() {
        let Some(event) = line?.strip_prefix("data: ").map(serde_json::from_str) else {
            continue;
        };
        let event: Value = event?;
        let everyone = event["callers"].as_array().into_iter().flatten();
        for caller in everyone.chain(event.get("caller")) {
            let (noisy, muted) = (caller["noisy"] == true, &caller["muted"]);
            let what = match event["what"].as_str() {
                Some("left" | "ended") => continue,
                _ if noisy && muted.is_null() && caller["place"] == "room" => "quiet",
                Some("noise-over") if muted == "quieted" => "restore",
                _ => continue,
            };
            order(bridge, token, &event["conference"], caller, what)?;
        }
    }
    Ok(())
}

fn order(
    bridge: &str,
    token: &str,
    conference: &Value,
    caller: &Value,
    what: &str,
) -> Result<(), Box<dyn Error>> {
    let (call, started) = (&caller["call"], &conference["started"]);
    let order = json!({ "started": started, "what": what, "call": call });
    let sent = ureq::post(format!("{bridge}/api/v1/live/{}/orders", conference["id"]))
        .header("authorization", format!("Bearer {token}"))
        .send(order.to_string());
    match sent {
        Ok(_) => println!("{what} call {call} in {}", conference["title"]),
        Err(ureq::Error::StatusCode(409)) => println!("call {call}: somebody was faster"),
        Err(error) => return Err(error.into()),
    }
    Ok(())
}
