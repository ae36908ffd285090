//! The receiver behind a network that loses, delays, swaps, doubles and drifts.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod network;

use conclave_media::{Codec, Pulled};
use network::{Loss, Network, listen, voice};

fn jitter(jitter_ms: f64) -> Network {
    Network {
        jitter_ms,
        ..Network::CLEAN
    }
}

#[test]
fn a_clean_network_has_no_splice_and_every_sample() {
    let heard = listen(Network::CLEAN, 60, true, voice());
    let stats = heard.leg.stats();
    assert_eq!(
        (stats.shortened, stats.stretched, stats.concealed_frames),
        (0, 0, 0)
    );
    assert_eq!((heard.delay(0), heard.delay(100)), (15.0, 15.0));
    let mut said = voice();
    let mut decoder = Codec::Pcmu.decoder();
    let expected: Vec<i16> = (0..50)
        .flat_map(|packet| {
            let mut frame = [0; 160];
            decoder.decode(&said(packet), &mut frame);
            frame
        })
        .collect();
    assert_eq!(heard.samples[..8000], expected);
}

#[test]
fn what_is_expected_of_a_jittery_network_is_little_made_up_and_no_more_delay_than_it_needs() {
    for jitter_ms in [5.0, 20.0, 40.0, 60.0, 100.0] {
        let heard = listen(jitter(jitter_ms), 120, false, voice());
        let (stats, made_up) = (heard.leg.stats(), heard.count(Pulled::Concealed));
        // Some are underway at the end.
        assert!(stats.lost <= 5, "{stats:?}");
        assert!(made_up <= 30, "{jitter_ms}: {made_up} of 6000, {stats:?}");
        // From packet to tick: the whole jitter, a twelfth, and the tick's 20 ms.
        let most = jitter_ms * 13.0 / 12.0 + 22.0;
        assert!(heard.delay(99) <= most, "{jitter_ms}: {}", heard.delay(99));
    }
}

#[test]
fn lost_packets_alone_are_made_up() {
    for loss in [
        Loss::Random(5.0),
        Loss::Bursts {
            percent: 5.0,
            packets: 6.0,
        },
    ] {
        let heard = listen(
            Network {
                loss,
                ..Network::CLEAN
            },
            120,
            false,
            voice(),
        );
        let stats = heard.leg.stats();
        assert!((150..450).contains(&heard.lost), "{loss:?}: {}", heard.lost);
        assert!(stats.lost.abs_diff(heard.lost) <= 6, "{stats:?}");
        assert!(
            stats.concealed_frames <= stats.lost + 6,
            "{loss:?}: {stats:?}"
        );
        assert_eq!(heard.delay(50), 15.0, "{loss:?}");
    }
}

#[test]
fn swapped_and_doubled_packets_are_put_right_and_counted() {
    let network = Network {
        swapped: 5.0,
        doubled: 5.0,
        ..jitter(10.0)
    };
    let heard = listen(network, 120, false, voice());
    let stats = heard.leg.stats();
    assert!((200..400).contains(&stats.duplicate), "{stats:?}");
    assert!(heard.count(Pulled::Concealed) <= 30, "{stats:?}");
    assert!(stats.late <= 30 && stats.lost <= 5, "{stats:?}");
}

#[test]
fn a_clock_that_drifts_for_an_hour_neither_starves_nor_floods() {
    for drift_ppm in [-200, 200] {
        for jitter_ms in [1.0, 20.0] {
            let network = Network {
                drift_ppm,
                ..jitter(jitter_ms)
            };
            let heard = listen(network, 3_600, false, voice());
            let stats = heard.leg.stats();
            let what = format!("{drift_ppm} ppm, {jitter_ms} ms: {stats:?}");
            assert_eq!((stats.overflow, stats.restarts), (0, 0), "{what}");
            assert!(stats.lost <= 2, "{what}");
            // Of 180,000; the jitter alone brings some.
            let most = if jitter_ms < 2.0 { 5 } else { 400 };
            assert!(stats.concealed_frames <= most, "{what}");
            // 720 ms of an hour, in steps of 2.5 to 15 ms.
            let steps = if drift_ppm > 0 {
                stats.stretched
            } else {
                stats.shortened
            };
            assert!(steps >= 48, "{what}");
            let most = jitter_ms * 13.0 / 12.0 + 42.0;
            assert!(heard.delay(100) <= most, "{}: {what}", heard.delay(100));
        }
    }
}

/// A tone has no step that is not its own, and its pitch stays, whichever way the delay goes.
#[test]
fn nothing_clicks_while_the_delay_changes() {
    let mut phase = 0.0f64;
    let tone = move |_| {
        let frame: [i16; 160] = std::array::from_fn(|_| {
            phase += 200.0 / 8_000.0 * std::f64::consts::TAU;
            (phase.sin() * 8_000.0) as i16
        });
        let mut payload = [0; 160];
        Codec::Pcmu.encoder().encode(&frame, &mut payload);
        payload
    };
    for drift_ppm in [-3_000, 3_000] {
        let network = Network {
            drift_ppm,
            ..Network::CLEAN
        };
        let heard = listen(network, 60, true, tone);
        let stats = heard.leg.stats();
        assert!(stats.shortened + stats.stretched >= 10, "{stats:?}");
        assert!(stats.concealed_frames <= 4, "{stats:?}");
        let steps = heard.samples[4_000..]
            .windows(2)
            .map(|w| (i32::from(w[1]) - i32::from(w[0])).abs());
        let steepest = steps.max().unwrap();
        assert!(steepest < 2_200, "{drift_ppm}: {steepest}");
        // Its zero crossings: 200 Hz all the time.
        let crossings = heard.samples[4_000..]
            .windows(2)
            .filter(|w| w[0] < 0 && w[1] >= 0)
            .count();
        let seconds = (heard.samples.len() - 4_000) as f64 / 8_000.0;
        let hertz = crossings as f64 / seconds;
        assert!((hertz - 200.0).abs() < 0.5, "{drift_ppm}: {hertz}");
    }
}
