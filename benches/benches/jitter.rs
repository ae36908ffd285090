//! The jitter buffer behind networks of many kinds, in virtual time: what is made up, and how long a packet waits.
//!
//! `cargo bench -p conclave-benches --bench jitter`; under `cargo test --benches` a few seconds of each network.
#![allow(clippy::print_stdout)]

#[path = "../../crates/media/tests/network/mod.rs"]
mod network;

use network::{Loss, Network, listen, voice};

fn main() {
    let quick = !std::env::args().any(|arg| arg == "--bench");
    let seconds = if quick { 5 } else { 600 };
    println!(
        "| loss % | jitter ms | drift ppm | lost | made up | late | delay p50 ms | p99 | max | shortened | stretched |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    let random = [0.0, 1.0, 5.0, 10.0].map(|percent| (format!("{percent}"), Loss::Random(percent)));
    let bursts = [5.0, 10.0].map(|percent| {
        let loss = Loss::Bursts {
            percent,
            packets: 6.0,
        };
        (format!("{percent} in bursts"), loss)
    });
    for (name, loss) in random.into_iter().chain(bursts) {
        for jitter_ms in [0.0, 20.0, 60.0] {
            report(
                &name,
                Network {
                    loss,
                    jitter_ms,
                    ..Network::CLEAN
                },
                seconds,
            );
        }
    }
    for drift_ppm in [-200, 200] {
        for jitter_ms in [0.0, 20.0] {
            report(
                "0",
                Network {
                    drift_ppm,
                    jitter_ms,
                    ..Network::CLEAN
                },
                6 * seconds,
            );
        }
    }
    let network = Network {
        swapped: 5.0,
        doubled: 5.0,
        jitter_ms: 20.0,
        ..Network::CLEAN
    };
    report("0, 5 swapped, 5 doubled", network, seconds);
}

fn report(loss: &str, network: Network, seconds: u64) {
    let heard = listen(network, seconds, false, voice());
    let stats = heard.leg.stats();
    println!(
        "| {loss} | {} | {} | {} | {} | {} | {:.1} | {:.1} | {:.1} | {} | {} |",
        network.jitter_ms,
        network.drift_ppm,
        heard.lost,
        stats.concealed_frames,
        stats.late,
        heard.delay(50),
        heard.delay(99),
        heard.delay(100),
        stats.shortened,
        stats.stretched,
    );
}
