use core::time::Duration;

use crate::Codec;

/// How good the speech of a leg is, as the mean opinion score that the E-model estimates (1 to 4.5; ITU-T
/// G.107 annex B): 4.4 is a flawless G.711 call, below 3.6 many users are dissatisfied.
///
/// `loss` is the part of the packets that was lost or came too late, 0 to 1, taken as random;
/// `delay` is one way, mouth to ear. All else is at the model's default values, the delay impairment
/// in the simplified form that is usual (0.024 per ms, and 0.11 more beyond 177.3 ms).
///
/// ```
/// use conclave_media::{Codec, estimate_mos};
/// use std::time::Duration;
/// let good = estimate_mos(Codec::Pcmu, 0.0, Duration::from_millis(60));
/// let poor = estimate_mos(Codec::Pcmu, 0.2, Duration::from_millis(60));
/// assert!((4.3..4.5).contains(&good) && (2.0..3.0).contains(&poor));
/// ```
pub fn estimate_mos(codec: Codec, loss: f64, delay: Duration) -> f64 {
    let (impairment, robustness) = codec.impairment();
    let loss_percent = if loss.is_finite() {
        loss.clamp(0.0, 1.0) * 100.0
    } else {
        0.0
    };
    let delay_ms = delay.as_secs_f64() * 1000.0;
    let by_delay = 0.024 * delay_ms + 0.11 * (delay_ms - 177.3).max(0.0);
    let by_loss = (95.0 - impairment) * loss_percent / (loss_percent + robustness);
    let rating = (93.2 - by_delay - impairment - by_loss).clamp(0.0, 100.0);
    // The polynomial dips below 1 for the very worst.
    (1.0 + 0.035 * rating + rating * (rating - 60.0) * (100.0 - rating) * 7e-6).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quality_falls_with_loss_and_delay() {
        let mos = |loss: f64, ms| estimate_mos(Codec::Pcma, loss, Duration::from_millis(ms));
        // G.107: the default rating of 93.2 is a score of 4.41.
        assert!((mos(0.0, 0) - 4.41).abs() < 0.01);
        for step in 0..20u32 {
            let loss = f64::from(step) / 20.0;
            assert!(mos(loss + 0.05, 50) < mos(loss, 50));
            assert!(mos(0.01, 40 * u64::from(step) + 40) < mos(0.01, 40 * u64::from(step)));
        }
        assert!((1.0..1.1).contains(&mos(1.0, 100_000)));
        assert!(mos(f64::NAN, 0) <= 4.5);
    }
}
