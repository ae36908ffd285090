//! RFC 4475's torture messages, each by the answer that it gets.

#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::{config, rtp, start, udp};
use conclave_sip::SipEvent;
use tokio::net::UdpSocket;

#[tokio::test]
async fn each_torture_message_gets_its_answer() {
    let (server, mut events) = start(config()).await;
    let target = udp(&server);
    let handle = server.clone();
    tokio::spawn(async move {
        while let Some(event) = events.recv().await {
            if let SipEvent::Incoming(incoming) = event {
                handle.answer(incoming.call, rtp());
            }
        }
    });
    let messages = messages();
    assert_eq!(messages.len(), 49);
    let mut wrong = Vec::new();
    for (name, expected, bytes) in messages {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        socket.send_to(&bytes, target).await.unwrap();
        let got = final_status(&socket).await;
        if got != expected {
            wrong.push(format!("{name}: {got} instead of {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The status of the first final response; `none` after a while.
async fn final_status(socket: &UdpSocket) -> String {
    let mut buffer = [0; 9_000];
    loop {
        let Ok(got) =
            tokio::time::timeout(Duration::from_millis(400), socket.recv(&mut buffer)).await
        else {
            return "none".into();
        };
        let text = String::from_utf8_lossy(&buffer[..got.unwrap()]).into_owned();
        let status = text.split(' ').nth(1).unwrap_or("").to_owned();
        if status != "100" {
            return status;
        }
    }
}

/// Name, expected status and bytes of each message.
fn messages() -> Vec<(String, String, Vec<u8>)> {
    let text = include_str!("torture/messages.txt");
    let blocks = text.split("\n### ").skip(1);
    blocks
        .map(|block| {
            let (title, message) = block.split_once('\n').unwrap();
            let (name, expected) = title.split_once(' ').unwrap();
            (name.to_owned(), expected.to_owned(), bytes(message))
        })
        .collect()
}

fn bytes(message: &str) -> Vec<u8> {
    let lines: Vec<&str> = message
        .lines()
        .filter(|line| !line.starts_with("##"))
        .collect();
    let text = lines.join("\n");
    let text = repeated(text.trim_end_matches('\n'));
    let (head, body) = text.split_once("\n\n").unwrap_or((&text, ""));
    let body = if body.is_empty() {
        Vec::new()
    } else {
        raw(&format!("{body}\n"))
    };
    let head = head.replace("{length}", &body.len().to_string());
    let mut all = raw(&format!("{head}\n\n"));
    all.extend(body);
    all
}

/// Writes `{50 x}` out.
fn repeated(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        out.push_str(&rest[..open]);
        let tail = &rest[open..];
        let inner = tail[1..].split('}').next().unwrap();
        match inner.split_once(' ').map(|(n, x)| (n.parse::<usize>(), x)) {
            Some((Ok(n), x)) => {
                out.push_str(&x.repeat(n));
                rest = &tail[inner.len() + 2..];
            }
            _ => {
                out.push('{');
                rest = &tail[1..];
            }
        }
    }
    out + rest
}

/// CRLF for each line end, a byte for each `\xNN`.
fn raw(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let hex = tail.get(1..3).filter(|_| byte == b'\\' && tail[0] == b'x');
        let hex = hex.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        rest = match (byte, hex) {
            (_, Some(value)) => {
                out.push(value);
                &tail[3..]
            }
            (b'\n', _) => {
                out.extend(b"\r\n");
                tail
            }
            _ => {
                out.push(byte);
                tail
            }
        };
    }
    out
}

#[tokio::test]
async fn a_message_cut_at_any_byte_and_noise_do_no_harm() {
    let (server, _events) = start(config()).await;
    let target = udp(&server);
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let whole = &messages()[9].2;
    for cut in 0..whole.len() {
        socket.send_to(&whole[..cut], target).await.unwrap();
    }
    for length in 0..600_usize {
        let noise: Vec<u8> = (0..length)
            .map(|i| (i * i * 31 + length * 7) as u8)
            .collect();
        socket.send_to(&noise, target).await.unwrap();
    }
    let alive = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    alive.send_to(whole, target).await.unwrap();
    assert_eq!(final_status(&alive).await, "200");
}
