//! baresip, a whole telephone that others wrote: SIP, RTP, RFC 4733. It is told what to do through its console (UDP),
//! says a tone from a file, and keeps what it hears in another.

use std::{
    fs,
    net::UdpSocket,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use crate::{
    bridge::free_port,
    ear::{Ear, PATIENCE},
    tones,
};

pub(crate) struct Baresip {
    name: String,
    voice: f64,
    child: Child,
    console: UdpSocket,
    directory: tempfile::TempDir,
    cursor: usize,
}

impl Baresip {
    /// Starts baresip and calls; returns when the call is answered.
    pub(crate) fn call(bridge: u16, voice: usize) -> Self {
        Self::call_in("PCMU", bridge, voice)
    }

    /// The same in a codec of baresip's: PCMU, PCMA, G722 or opus.
    pub(crate) fn call_in(codec: &str, bridge: u16, voice: usize) -> Self {
        // As baresip names it, and the sound that it wants for it.
        let (codec, rate, channels) = match codec {
            "opus" => ("opus/48000/2", 48_000, 2),
            "G722" => ("G722/16000/1", 16_000, 1),
            _ => (codec, 8_000, 1),
        };
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        write_tone(
            &path.join("tone.wav"),
            tones::CALLERS[voice],
            rate,
            channels,
        );
        let console_port = free_port();
        let first_rtp = 40_000 + 40 * voice;
        fs::write(
            path.join("config"),
            format!(
                "poll_method epoll\nsip_listen 127.0.0.1:{sip}\nnet_interface 127.0.0.1\n\
                 audio_source aufile,{dir}/tone.wav\naudio_player aufile,{dir}/played.wav\naudio_alert aufile,{dir}/alert.wav\n\
                 audio_srate {rate}\naudio_channels {channels}\nrtp_ports {first_rtp}-{last_rtp}\n\
                 module_path /usr/lib/baresip/modules\nmodule g711.so\nmodule g722.so\nmodule opus.so\nmodule aufile.so\nmodule sndfile.so\n\
                 module_app account.so\nmodule_app menu.so\nmodule cons.so\ncons_listen 127.0.0.1:{console_port}\nsnd_path {dir}\n",
                sip = free_port(),
                dir = path.display(),
                last_rtp = first_rtp + 39,
            ),
        )
        .unwrap();
        fs::write(
            path.join("accounts"),
            format!(
                "<sip:+442079460099@127.0.0.1>;regint=0;audio_codecs={codec};dtmfmode=rtpevent\n"
            ),
        )
        .unwrap();
        fs::write(path.join("contacts"), "").unwrap();
        fs::write(path.join("uuid"), "00000000-0000-0000-0000-000000000000").unwrap();
        let log = fs::File::create(path.join("log")).unwrap();
        let child = Command::new("baresip")
            .arg("-f")
            .arg(path)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .expect("baresip runs (`cargo xtask setup` installs it)");
        let console = UdpSocket::bind("127.0.0.1:0").unwrap();
        console.connect(("127.0.0.1", console_port)).unwrap();
        let mut phone = Self {
            name: format!("baresip {voice}"),
            voice: tones::CALLERS[voice],
            child,
            console,
            directory,
            cursor: 0,
        };
        phone.wait_log("baresip is ready");
        phone.say(&format!("/dial sip:conference@127.0.0.1:{bridge}\n"));
        phone.wait_log("Call established");
        phone
    }

    /// Presses keys; baresip sends each as an RFC 4733 event.
    pub(crate) fn press(&self, keys: &str) {
        for key in keys.chars() {
            self.say(&key.to_string());
            sleep(Duration::from_millis(120));
            // The key goes up again (baresip's KEY_REL); until then the event goes on.
            self.say("\u{4}");
            sleep(Duration::from_millis(120));
        }
    }

    /// Puts the line on hold, or takes it back.
    pub(crate) fn hold(&self, on: bool) {
        self.say(if on { "/hold\n" } else { "/resume\n" });
    }

    pub(crate) fn hang_up(&mut self) {
        self.say("/hangup\n");
        self.is_hung_up();
    }

    #[track_caller]
    pub(crate) fn is_hung_up(&mut self) {
        self.wait_log("terminated");
    }

    fn say(&self, word: &str) {
        self.console.send(word.as_bytes()).unwrap();
    }

    #[track_caller]
    fn wait_log(&mut self, word: &str) {
        let started = Instant::now();
        while !self.explain().contains(word) {
            assert!(
                self.child.try_wait().unwrap().is_none(),
                "baresip ended:\n{}",
                self.explain()
            );
            assert!(
                started.elapsed() < PATIENCE,
                "baresip does not say '{word}':\n{}",
                self.explain()
            );
            sleep(Duration::from_millis(10));
        }
    }

    /// What baresip keeps of what it hears, at 8 kHz: samples after the 44 bytes of a header, a file for each time that
    /// the stream was started.
    fn recording(&self) -> Vec<i16> {
        let files = fs::read_dir(self.directory.path())
            .unwrap()
            .map(|file| file.unwrap().path());
        let mut files: Vec<_> = files
            .filter(|path| path.to_string_lossy().ends_with("dec.wav"))
            .collect();
        files.sort();
        let mut samples = Vec::new();
        for file in files {
            let bytes = fs::read(file).unwrap();
            let number = |at: usize| {
                let two = bytes.get(at..at + 2).and_then(|two| two.try_into().ok());
                usize::from(two.map_or(0, u16::from_le_bytes))
            };
            let (channels, rate) = (number(22), number(24));
            let pairs = bytes.get(44..).unwrap_or_default().chunks_exact(2);
            let all: Vec<i16> = pairs
                .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
                .collect();
            // The tones are far below 4 kHz: the mean of some samples, of both channels, is a good enough filter.
            let parts = all.chunks_exact((channels * rate / 8_000).max(1));
            samples.extend(parts.map(|part| {
                let sum: i32 = part.iter().map(|sample| i32::from(*sample)).sum();
                (sum / part.len() as i32) as i16
            }));
        }
        samples
    }
}

impl Ear for Baresip {
    fn name(&self) -> &str {
        &self.name
    }

    fn voice(&self) -> f64 {
        self.voice
    }

    fn heard_from(&self, sample: usize) -> Vec<i16> {
        self.recording().split_off(sample)
    }

    fn samples(&self) -> usize {
        self.recording().len()
    }

    fn cursor(&mut self) -> &mut usize {
        &mut self.cursor
    }

    fn explain(&self) -> String {
        fs::read(self.directory.path().join("log"))
            .map(|log| String::from_utf8_lossy(&log).into_owned())
            .unwrap_or_default()
    }
}

impl Drop for Baresip {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A minute of the tone: longer than any test.
fn write_tone(path: &std::path::Path, frequency: f64, rate: u32, channels: u16) {
    let spec = hound::WavSpec {
        channels,
        sample_rate: rate,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut file = hound::WavWriter::create(path, spec).unwrap();
    for n in 0..60 * rate {
        let wave = (std::f64::consts::TAU * frequency * f64::from(n) / f64::from(rate)).sin();
        for _ in 0..channels {
            file.write_sample((wave * 6000.0) as i16).unwrap();
        }
    }
    file.finalize().unwrap();
}
