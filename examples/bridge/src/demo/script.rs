//! Who calls when, and what they do: the plot of the demo.

use std::time::{Duration, Instant};

use conclave_sip::{ClientCall, ClientConfig, SipClient};
use tokio::time::{sleep, timeout};

use super::{
    Moment, PEOPLE,
    phone::{EVENTS, Sound},
};
use crate::output::Failure;

const ADA: usize = 0;
const BEN: usize = 1;
const CLEO: usize = 2;

/// One telephone in a call.
struct Phone {
    sound: Sound,
    call: ClientCall,
}

struct Stage {
    client: SipClient,
    sip: u16,
    began: Instant,
    moments: Vec<Moment>,
    phones: [Option<Phone>; 3],
}

/// Plays it all; returns what was done, and what each telephone heard.
pub(super) async fn play(
    sip: u16,
    host_pin: &str,
    guest_pin: &str,
    began: Instant,
) -> Result<(Vec<Moment>, Vec<Sound>), Failure> {
    let client = SipClient::start(ClientConfig::default())
        .await
        .map_err(|error| Failure::machine(error.to_string()))?;
    let mut stage = Stage {
        client,
        sip,
        began,
        moments: Vec::new(),
        phones: [None, None, None],
    };

    stage.enter(BEN, guest_pin, "a Guest").await?;
    pause(7.0).await;
    stage.enter(ADA, host_pin, "a Host").await?;
    pause(4.5).await;
    stage.talks(ADA, 1.4).await;
    stage.talks(BEN, 1.4).await;
    stage.enter(CLEO, guest_pin, "a Guest").await?;
    pause(5.0).await;
    stage.all_talk(1.4).await;
    stage.presses(BEN, "*6", "mutes himself").await;
    pause(1.5).await;
    stage.talks(BEN, 1.4).await;
    stage.presses(BEN, "*6", "unmutes himself").await;
    pause(1.5).await;
    stage.presses(ADA, "*7", "locks the room").await;
    pause(2.0).await;
    stage.presses(ADA, "*8", "calls the roll").await;
    pause(7.5).await;
    stage
        .presses(ADA, "##", "ends the conference for all")
        .await;
    for (who, (name, ..)) in PEOPLE.iter().enumerate() {
        if let Some(phone) = &mut stage.phones[who] {
            timeout(Duration::from_secs(15), phone.call.ended())
                .await
                .map_err(|_| {
                    Failure::machine(format!("{name}'s call was not ended by the bridge"))
                })?;
            stage.note(who, "is hung up");
        }
    }
    let Stage {
        moments,
        phones,
        client,
        ..
    } = stage;
    client.shutdown().await;
    Ok((
        moments,
        phones
            .into_iter()
            .flatten()
            .map(|phone| phone.sound)
            .collect(),
    ))
}

impl Stage {
    fn note(&mut self, who: usize, what: impl Into<String>) {
        self.moments.push(Moment {
            at: self.began.elapsed(),
            who,
            what: what.into(),
        });
    }

    /// Calls, types the PIN over the welcome, says a name.
    async fn enter(&mut self, who: usize, pin: &str, role: &str) -> Result<(), Failure> {
        let (name, pitch, _) = PEOPLE[who];
        let sound = Sound::open(pitch)?;
        self.note(who, "calls");
        let uri = format!("sip:conference@127.0.0.1:{}", self.sip);
        let offer = offer(sound.local.port());
        let call = self
            .client
            .call(&uri, name, Some(&offer))
            .await
            .map_err(|error| Failure::machine(format!("{name}'s call: {error}")))?;
        sound.connect(call.remote_rtp());
        self.phones[who] = Some(Phone { sound, call });
        pause(3.0).await;
        self.presses(
            who,
            &format!("{pin}#"),
            &format!("enters the PIN of {role}"),
        )
        .await;
        pause(3.2).await;
        self.note(who, "says a name");
        self.sound(who, |sound| sound.talk(true));
        pause(0.9).await;
        self.sound(who, |sound| sound.talk(false));
        self.presses(who, "#", "ends it with #").await;
        Ok(())
    }

    fn sound<T>(&self, who: usize, act: impl FnOnce(&Sound) -> T) -> Option<T> {
        self.phones[who].as_ref().map(|phone| act(&phone.sound))
    }

    async fn presses(&mut self, who: usize, keys: &str, meaning: &str) {
        let shown = if keys.len() > 2 {
            meaning.to_owned()
        } else {
            format!("presses {keys}: {meaning}")
        };
        self.note(who, shown);
        self.sound(who, |sound| sound.press(keys));
        while self.sound(who, Sound::has_pressed_all) == Some(false) {
            pause(0.05).await;
        }
    }

    async fn talks(&mut self, who: usize, seconds: f32) {
        self.note(who, "talks");
        self.sound(who, |sound| sound.talk(true));
        pause(seconds).await;
        self.sound(who, |sound| sound.talk(false));
        pause(0.4).await;
    }

    async fn all_talk(&mut self, seconds: f32) {
        for who in [ADA, BEN, CLEO] {
            self.note(who, "talks, with all others");
            self.sound(who, |sound| sound.talk(true));
        }
        pause(seconds).await;
        for who in [ADA, BEN, CLEO] {
            self.sound(who, |sound| sound.talk(false));
        }
        pause(0.4).await;
    }
}

async fn pause(seconds: f32) {
    sleep(Duration::from_secs_f32(seconds)).await;
}

fn offer(port: u16) -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {port} RTP/AVP 0 {EVENTS}\r\n\
         a=rtpmap:0 PCMU/8000\r\na=rtpmap:{EVENTS} telephone-event/8000\r\na=fmtp:{EVENTS} 0-15\r\na=ptime:20\r\na=sendrecv\r\n"
    )
}
