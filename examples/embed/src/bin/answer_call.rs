//! Answers one SIP call, plays a WAV file to it and hangs up: `answer_call 127.0.0.1:5060 prompt.wav`
//!
//! The file is mono, 16 bit, 8 kHz. Prints the address that it listens on.

use std::time::Duration;

use conclave_media::{Codec, RtpWriter};
use conclave_sip::{Listener, SipConfig, SipEvent, SipServer};
use tokio::net::UdpSocket;
use tokio::time::{MissedTickBehavior, interval};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(address), Some(prompt)) = (arguments.next(), arguments.next()) else {
        return Err("usage: answer_call ADDRESS PROMPT.wav".into());
    };
    let samples: Vec<i16> = hound::WavReader::open(prompt)?.into_samples().collect::<Result<_, _>>()?;

    let listeners = vec![Listener::udp(address.parse()?)];
    let (server, mut events) = SipServer::start(SipConfig { listeners, ..SipConfig::default() }).await?;
    println!("listening on {}", server.addresses()[0].1);

    let (mut call, mut media, mut rtp) = (None, None, None);
    while let Some(event) = events.recv().await {
        match event {
            SipEvent::Incoming(incoming) if call.is_none() => {
                let socket = UdpSocket::bind((incoming.local_ip, 0)).await?;
                server.answer(incoming.call, socket.local_addr()?);
                (call, media, rtp) = (Some(incoming.call), incoming.media, Some(socket));
            }
            SipEvent::Incoming(second) => server.reject(second.call, 486, None),
            SipEvent::Confirmed { .. } => break,
            _ => {}
        }
    }
    let (Some(call), Some(media), Some(rtp)) = (call, media, rtp) else {
        return Err("this caller made no offer".into());
    };
    let codec: Codec = media.codec;
    let (mut encoder, mut writer) = (codec.encoder(), RtpWriter::new(rand::random(), rand::random(), rand::random()));
    let mut tick = interval(Duration::from_millis(20));
    tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
    for frame in samples.chunks_exact(codec.frame_samples()) {
        tick.tick().await;
        let (mut payload, mut packet) = ([0; 160], [0; 200]);
        let length = encoder.encode(frame, &mut payload);
        let packet_length = writer.write(media.payload_type, false, frame.len() as u32, &payload[..length], &mut packet);
        rtp.send_to(&packet[..packet_length.unwrap_or(0)], media.remote).await?;
    }
    server.hang_up(call);
    server.shutdown().await;
    Ok(())
}
