//! A browser without a screen.
// Not each test uses all of it.
#![allow(dead_code)]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    sync::mpsc,
    thread,
    time::Duration,
};

/// A browser that has one host and keeps cookies; or a program, if it has a token.
pub(crate) struct Browser {
    pub(crate) at: String,
    cookies: Vec<String>,
    token: Option<String>,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

/// A server-sent event.
#[derive(Debug, Default)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) data: String,
}

impl Browser {
    pub(crate) fn at(at: String) -> Self {
        Self {
            at,
            cookies: Vec::new(),
            token: None,
        }
    }

    /// A program that shows this token with all that it asks.
    pub(crate) fn with_token(at: String, token: String) -> Self {
        Self {
            token: Some(token),
            ..Self::at(at)
        }
    }

    /// Sets the password behind a link that `user add` printed: signed in from then on.
    pub(crate) fn set_up(&mut self, link: &str) {
        let (_, code) = link.split_once('#').unwrap();
        let fields = format!("code={code}&password=four+odd+words+here&again=four+odd+words+here");
        let set = self.send("/set-up", &fields);
        assert_eq!(set.status, 303, "{}", set.body);
    }

    /// What comes from there, event by event, for as long as somebody listens.
    pub(crate) fn events(&self, path: &str) -> mpsc::Receiver<Event> {
        let mut stream = TcpStream::connect(&self.at).unwrap();
        let (host, who) = (&self.at, self.who());
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: {host}\r\n{who}\r\n\r\n"
        )
        .unwrap();
        let (told, events) = mpsc::channel();
        thread::spawn(move || {
            let mut event = Event::default();
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                if let Some(name) = line.strip_prefix("event: ") {
                    event.name = name.to_owned();
                } else if let Some(data) = line.strip_prefix("data: ") {
                    event.data.push_str(data);
                    event.data.push('\n');
                } else if line.is_empty()
                    && !event.name.is_empty()
                    && told.send(std::mem::take(&mut event)).is_err()
                {
                    return;
                }
            }
        });
        events
    }

    fn who(&self) -> String {
        match &self.token {
            Some(token) => format!("Authorization: Bearer {token}"),
            None => format!("Cookie: {}", self.cookies.join("; ")),
        }
    }

    pub(crate) fn ask(&mut self, request: &str, body: &str) -> Answer {
        let mut stream = TcpStream::connect(&self.at).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        let (host, length, who) = (&self.at, body.len(), self.who());
        write!(
            stream,
            "{request} HTTP/1.1\r\nHost: {host}\r\n{who}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        for line in head.lines() {
            if let Some(cookie) = line.strip_prefix("set-cookie: ") {
                let pair = cookie.split(';').next().unwrap();
                let name = pair.split('=').next().unwrap();
                self.cookies.retain(|kept| !kept.starts_with(name));
                self.cookies.push(pair.to_owned());
            }
        }
        Answer {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }

    pub(crate) fn get(&mut self, path: &str) -> Answer {
        self.ask(&format!("GET {path}"), "")
    }

    /// Fills in the form of that page and sends it, with what the page has hidden in it.
    pub(crate) fn send(&mut self, path: &str, fields: &str) -> Answer {
        let page = self.get(path).body;
        let hidden = |name: &str| {
            let (_, rest) = page.split_once(&format!("name=\"{name}\" value=\""))?;
            Some(format!("{name}={}&", rest.split('"').next()?))
        };
        let form = hidden("form").expect("the page has no form");
        let more: String = ["once", "account"].into_iter().filter_map(hidden).collect();
        self.ask(&format!("POST {path}"), &format!("{form}{more}{fields}"))
    }
}
