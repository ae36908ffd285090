//! Calls the built program and listens to what it plays.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use conclave_media::{Codec, RtpPacket};
use conclave_sip::{ClientConfig, SipClient};
use tokio::net::UdpSocket;
use tokio::time::timeout;

const FREQUENCY: f64 = 440.0;
const SAMPLES: usize = 8_000;

fn prompt(path: &std::path::Path) {
    let sample_format = hound::SampleFormat::Int;
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 8_000,
        bits_per_sample: 16,
        sample_format,
    };
    let mut wav = hound::WavWriter::create(path, spec).unwrap();
    for i in 0..SAMPLES {
        let angle = i as f64 * FREQUENCY / 8_000.0 * std::f64::consts::TAU;
        wav.write_sample((angle.sin() * 8_000.0) as i16).unwrap();
    }
    wav.finalize().unwrap();
}

#[tokio::test]
async fn a_caller_hears_the_prompt_and_is_hung_up() {
    let dir = tempfile::tempdir().unwrap();
    let wav = dir.path().join("prompt.wav");
    prompt(&wav);
    let mut program = Command::new(env!("CARGO_BIN_EXE_answer_call"))
        .arg("127.0.0.1:0")
        .arg(&wav)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(program.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let address = line
        .trim()
        .strip_prefix("listening on ")
        .unwrap()
        .to_owned();

    let rtp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let offer = format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {} RTP/AVP 8\r\n",
        rtp.local_addr().unwrap().port()
    );
    let client = SipClient::start(ClientConfig::default()).await.unwrap();
    let call = client
        .call(&format!("sip:prompt@{address}"), "caller", Some(&offer))
        .await
        .unwrap();

    let mut decoder = Codec::Pcma.decoder();
    let mut heard = Vec::new();
    let mut packet = [0; 1_500];
    while heard.len() < SAMPLES {
        let length = timeout(Duration::from_secs(5), rtp.recv(&mut packet))
            .await
            .unwrap()
            .unwrap();
        let packet = RtpPacket::parse(&packet[..length]).unwrap();
        assert_eq!(packet.payload_type(), 8);
        let mut frame = [0; 160];
        let samples = decoder.decode(packet.payload(), &mut frame);
        heard.extend_from_slice(&frame[..samples]);
    }
    assert!(share_of(&heard, FREQUENCY) > 0.95, "the tone isn't there");
    assert!(share_of(&heard, 700.0) < 0.05);
    timeout(Duration::from_secs(5), call.ended()).await.unwrap();
    assert!(program.wait().unwrap().success());
}

/// How much of the power lies at this frequency (a Goertzel filter), 0 to 1.
fn share_of(samples: &[i16], frequency: f64) -> f64 {
    let (mut re, mut im, mut power) = (0.0, 0.0, 0.0);
    for (i, sample) in samples.iter().enumerate() {
        let (angle, sample) = (
            i as f64 * frequency / 8_000.0 * std::f64::consts::TAU,
            f64::from(*sample),
        );
        re += sample * angle.cos();
        im += sample * angle.sin();
        power += sample * sample;
    }
    2.0 * (re * re + im * im) / (power * samples.len() as f64)
}
