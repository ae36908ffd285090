//! Letters of the outbox, rendered and handed to the mail server. They wait in the database: a stopped bridge, or a
//! mail server that is down, loses none.

use std::{sync::Arc, time::Duration};

use chrono::TimeDelta;
use conclave_desk::{Desk, NotSent, Rendered};
use conclave_store::{Letter, LetterKind, Store};
use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{Attachment, Mailbox, MultiPart, SinglePart, header::ContentType},
    transport::smtp::authentication::Credentials,
};
use tracing::{Instrument as _, info, warn};

use crate::{
    clock::Clock,
    config::{Mail, MailSecurity},
    spans,
};

/// How often the outbox is looked into.
const EVERY: Duration = Duration::from_secs(2);

/// Letters in one go.
const BATCH: u32 = 20;

/// A letter that this bridge takes is nobody else's for so long.
const LEASE: TimeDelta = TimeDelta::minutes(5);

/// So often a letter is tried: over about three days.
const TRIES: u32 = 20;

/// What is wrong with the configuration: the key and why.
pub(crate) fn check(mail: &Mail) -> Result<(), (&'static str, String)> {
    if mail.server.trim().is_empty() {
        return Err(("mail.server", "name the mail server".into()));
    }
    mailbox(&mail.from).map_err(|error| ("mail.from", format!("'{}': {error}", mail.from)))?;
    match (&mail.user, &mail.password, mail.security) {
        (Some(_), None, _) => Err(("mail.password", "is missing beside mail.user".into())),
        (None, Some(_), _) => Err(("mail.user", "is missing beside mail.password".into())),
        (Some(_), Some(_), MailSecurity::None) if !is_local(&mail.server) => Err((
            "mail.security",
            "a password is not sent in the clear to another machine: starttls or tls".into(),
        )),
        _ => Ok(()),
    }
}

fn is_local(server: &str) -> bool {
    server == "localhost"
        || server
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

fn mailbox(text: &str) -> Result<Mailbox, lettre::address::AddressError> {
    text.parse()
}

/// Sends what is due, for as long as the bridge runs.
pub(crate) struct Postman {
    pub(crate) desk: Arc<Desk>,
    pub(crate) mail: Mail,
    pub(crate) clock: Clock,
}

impl Postman {
    pub(crate) async fn run(self) {
        let transport = match self.transport() {
            Ok(transport) => transport,
            Err(error) => return warn!("no mail is sent: {error}"),
        };
        loop {
            tokio::time::sleep(EVERY).await;
            let now = self.clock.now();
            match self.desk.store().due_letters(BATCH, LEASE, now).await {
                Ok(letters) => {
                    for letter in letters {
                        self.deliver(&transport, &letter).await;
                    }
                }
                Err(error) => warn!("the outbox can't be read just now: {error}"),
            }
        }
    }

    fn transport(
        &self,
    ) -> Result<AsyncSmtpTransport<Tokio1Executor>, lettre::transport::smtp::Error> {
        let server = &self.mail.server;
        let builder = match self.mail.security {
            MailSecurity::Starttls => AsyncSmtpTransport::<Tokio1Executor>::starttls_relay(server)?,
            MailSecurity::Tls => AsyncSmtpTransport::<Tokio1Executor>::relay(server)?,
            MailSecurity::None => {
                AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(server).port(25)
            }
        };
        let builder = match self.mail.port {
            Some(port) => builder.port(port),
            None => builder,
        };
        let builder = match (&self.mail.user, &self.mail.password) {
            (Some(user), Some(password)) => {
                builder.credentials(Credentials::new(user.clone(), password.clone()))
            }
            _ => builder,
        };
        Ok(builder.timeout(Some(Duration::from_secs(30))).build())
    }

    async fn deliver(&self, transport: &AsyncSmtpTransport<Tokio1Executor>, letter: &Letter) {
        let now = self.clock.now();
        let span = spans::letter(letter);
        let done = async {
            match self.desk.render_letter(letter, now).await {
                Ok(rendered) => {
                    let sent = self.send(transport, rendered).await;
                    sent.map_err(|(why, worth_trying)| ("not-sent", why, worth_trying))
                }
                // It need not be said any more, or never can be.
                Err(NotSent::Moot(why)) => Err(("moot", why, false)),
                Err(NotSent::Store(error)) => Err(("not-sent", error.to_string(), true)),
            }
        };
        let outcome = done.instrument(span.clone()).await;
        let word = match &outcome {
            Ok(()) => "sent",
            Err((word, ..)) => word,
        };
        spans::outcome(&span, word, word != "not-sent");
        let noted = match outcome {
            Ok(()) => {
                info!(
                    letter = letter.id,
                    booking = letter.booking.0,
                    "a letter was sent"
                );
                self.desk.store().letter_sent(letter.id, now).await
            }
            Err((_, why, worth_trying)) => {
                let again =
                    (worth_trying && letter.tries + 1 < TRIES).then(|| now + pause(letter.tries));
                warn!(
                    letter = letter.id,
                    booking = letter.booking.0,
                    again = ?again,
                    "a letter was not sent: {why}"
                );
                self.desk
                    .store()
                    .letter_failed(letter.id, &why, again)
                    .await
            }
        };
        if let Err(error) = noted {
            // It may be sent twice: better than not at all.
            warn!(
                letter = letter.id,
                "what became of a letter can't be noted: {error}"
            );
        }
    }

    async fn send(
        &self,
        transport: &AsyncSmtpTransport<Tokio1Executor>,
        rendered: Rendered,
    ) -> Result<(), (String, bool)> {
        let message = self
            .message(rendered)
            .map_err(|error| (error.to_string(), false))?;
        match transport.send(message).await {
            Ok(_) => Ok(()),
            // What the server refuses for good it will refuse again.
            Err(error) => Err((error.to_string(), !error.is_permanent())),
        }
    }

    fn message(&self, rendered: Rendered) -> Result<Message, lettre::error::Error> {
        let method = match rendered.kind {
            LetterKind::Invitation => "REQUEST",
            LetterKind::Cancellation => "CANCEL",
        };
        let calendar: ContentType =
            ContentType::parse(&format!("text/calendar; charset=utf-8; method={method}"))
                .unwrap_or(ContentType::TEXT_PLAIN);
        let file =
            Attachment::new("invitation.ics".into()).body(rendered.ics.clone(), calendar.clone());
        // The calendar is an alternative to the text, for programs that show buttons for it, and a file for all others.
        let parts = MultiPart::mixed()
            .multipart(
                MultiPart::alternative()
                    .singlepart(SinglePart::plain(rendered.text))
                    .singlepart(SinglePart::builder().header(calendar).body(rendered.ics)),
            )
            .singlepart(file);
        let from = mailbox(&self.mail.from).map_err(|_| lettre::error::Error::MissingFrom)?;
        let to = lettre::Address::try_from(rendered.email)
            .map_err(|_| lettre::error::Error::MissingTo)?;
        Message::builder()
            .from(from)
            .to(Mailbox::new(Some(rendered.name), to))
            .subject(rendered.subject)
            .multipart(parts)
    }
}

/// Doubling from a minute, at most six hours.
fn pause(tries: u32) -> TimeDelta {
    let minutes = 1_i64.checked_shl(tries.min(10)).unwrap_or(360);
    TimeDelta::minutes(minutes.min(360))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(server: &str, security: MailSecurity, password: Option<&str>) -> Mail {
        Mail {
            server: server.into(),
            port: None,
            security,
            user: password.map(|_| "conferences".into()),
            password: password.map(str::to_owned),
            from: "Conferences <conferences@example.org>".into(),
        }
    }

    #[test]
    fn no_password_goes_in_the_clear() {
        let bad = mail("mail.example.org", MailSecurity::None, Some("x"));
        assert_eq!(check(&bad).unwrap_err().0, "mail.security");
        check(&mail("127.0.0.1", MailSecurity::None, Some("x"))).unwrap();
        check(&mail("mail.example.org", MailSecurity::None, None)).unwrap();
        check(&mail("mail.example.org", MailSecurity::Tls, Some("x"))).unwrap();
        let nobody = Mail {
            from: "nobody".into(),
            ..mail("localhost", MailSecurity::None, None)
        };
        assert_eq!(check(&nobody).unwrap_err().0, "mail.from");
    }

    #[test]
    fn a_letter_is_tried_for_days() {
        let all: TimeDelta = (0..TRIES).map(pause).sum();
        assert!(
            all > TimeDelta::days(2) && all < TimeDelta::days(5),
            "{all}"
        );
        assert_eq!(pause(0), TimeDelta::minutes(1));
    }
}
