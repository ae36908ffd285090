//! Answers one SIP call, plays a WAV file (mono, 16 bit, 8 kHz) to it and hangs up:
//! `answer_call 127.0.0.1:5060 prompt.wav`

use std::{error::Error, time::Duration};

use conclave_media::RtpWriter;
use conclave_sip::{CallMedia, Listener, SipConfig, SipEvent, SipServer};
use tokio::net::UdpSocket;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, address, prompt] = &arguments[..] else {
        return Err("usage: answer_call ADDRESS PROMPT.wav".into());
    };
    let wav = hound::WavReader::open(prompt)?.into_samples();
    let samples: Vec<i16> = wav.collect::<Result<_, _>>()?;

    let config = SipConfig {
        listeners: vec![Listener::udp(address.parse()?)],
        ..SipConfig::default()
    };
    let (server, mut events) = SipServer::start(config).await?;
    println!("listening on {}", server.addresses()[0].1);

    while let Some(event) = events.recv().await {
        let SipEvent::Incoming(call) = event else {
            continue;
        };
        let Some(media) = call.media else {
            server.reject(call.call, 488, None); // it makes no offer
            continue;
        };
        let rtp = UdpSocket::bind((call.local_ip, 0)).await?;
        server.answer(call.call, rtp.local_addr()?);
        play(&samples, &media, &rtp).await?;
        server.hang_up(call.call);
        break;
    }
    server.shutdown().await;
    Ok(())
}

async fn play(samples: &[i16], to: &CallMedia, rtp: &UdpSocket) -> Result<(), Box<dyn Error>> {
    let mut encoder = to.codec.encoder();
    let mut writer = RtpWriter::new(rand::random(), rand::random(), rand::random());
    let mut tick = tokio::time::interval(Duration::from_millis(20));
    for frame in samples.chunks_exact(to.codec.frame_samples()) {
        tick.tick().await;
        let (mut payload, mut packet) = ([0; 160], [0; 200]);
        let bytes = encoder.encode(frame, &mut payload);
        let step = frame.len() as u32;
        let length = writer.write(to.payload_type, false, step, &payload[..bytes], &mut packet);
        let packet = &packet[..length.unwrap_or(0)];
        rtp.send_to(packet, to.remote).await?;
    }
    Ok(())
}
