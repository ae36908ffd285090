//! Comfort noise (RFC 3389): what a sender's line is like while nobody speaks into it.

/// Reflection coefficients that are heeded; further ones shape what nobody hears.
const ORDER: usize = 10;
/// How much of the way to another level goes in a sample: most of it within 20 ms.
const APPROACH: f32 = 1.0 / 64.0;
/// Beyond this a filter would ring.
const STEEPEST: f32 = 0.98;
/// What is heard for such a packet until the next one comes.
pub(crate) const MS: i64 = 20;

/// Makes noise of the level, and in the colour, that the last packet told of.
pub(crate) struct ComfortNoise {
    payload_type: u8,
    /// Of the excitation, now and wanted.
    gain: f32,
    wanted: f32,
    reflections: [f32; ORDER],
    /// Backward prediction errors of the lattice, one sample old.
    backward: [f32; ORDER + 1],
    seed: u32,
}

impl ComfortNoise {
    pub(crate) const fn new(payload_type: u8) -> Self {
        ComfortNoise {
            payload_type,
            gain: 0.0,
            wanted: 0.0,
            reflections: [0.0; ORDER],
            backward: [0.0; ORDER + 1],
            seed: 1,
        }
    }

    pub(crate) const fn is_told_by(&self, payload_type: u8) -> bool {
        self.payload_type == payload_type
    }

    /// Takes a payload: the level in dB below overload, then the colour. `goes_on` where noise was heard up to here.
    pub(crate) fn set(&mut self, payload: &[u8], goes_on: bool) {
        let Some((level, colour)) = payload.split_first() else {
            return;
        };
        self.reflections = [0.0; ORDER];
        for (reflection, &coded) in self.reflections.iter_mut().zip(colour) {
            *reflection = ((f32::from(coded) - 127.0) / 127.0).clamp(-STEEPEST, STEEPEST);
        }
        // The filter makes the noise louder by what the coefficients tell.
        let left: f32 = self.reflections.iter().map(|k| 1.0 - k * k).product();
        let rms = 32_768.0 * 10_f32.powf(-f32::from(level & 0x7f) / 20.0);
        // The excitation is evenly spread, whose power is a third of its peak's.
        self.wanted = rms * (3.0 * left).sqrt();
        if !goes_on {
            self.gain = self.wanted;
            self.backward = [0.0; ORDER + 1];
        }
    }

    pub(crate) fn fill(&mut self, out: &mut [i16]) {
        for sample in out {
            self.seed = self
                .seed
                .wrapping_mul(1_664_525)
                .wrapping_add(1_013_904_223);
            self.gain += (self.wanted - self.gain) * APPROACH;
            let mut forward = f32::from((self.seed >> 16) as i16) / 32_768.0 * self.gain;
            for stage in (0..ORDER).rev() {
                forward -= self.reflections[stage] * self.backward[stage];
                self.backward[stage + 1] = self.backward[stage] + self.reflections[stage] * forward;
            }
            self.backward[0] = forward;
            *sample = forward as i16;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(payload: &[u8]) -> Vec<i16> {
        let mut noise = ComfortNoise::new(13);
        noise.set(payload, false);
        let mut out = vec![0; 8000];
        noise.fill(&mut out);
        out
    }

    fn dbov(samples: &[i16]) -> f64 {
        let power: f64 = samples.iter().map(|&s| f64::from(s).powi(2)).sum();
        10.0 * (power / samples.len() as f64 / 32_768_f64.powi(2)).log10()
    }

    #[test]
    fn the_level_is_that_of_the_packet_whatever_the_colour() {
        for level in [30, 45, 60, 70] {
            for colour in [&[][..], &[40], &[200, 100], &[20, 180, 127, 120, 140]] {
                let made = dbov(&noise(&[&[level], colour].concat()));
                assert!(
                    (made + f64::from(level)).abs() < 1.5,
                    "{level} {colour:?}: {made}"
                );
            }
        }
        // The highest bit is to be ignored.
        assert!(dbov(&noise(&[0x80 | 50])) < -48.0);
    }

    #[test]
    fn a_negative_first_coefficient_is_a_dull_noise() {
        let roughness = |samples: &[i16]| {
            let steps: Vec<i16> = samples.windows(2).map(|w| w[1] - w[0]).collect();
            dbov(&steps) - dbov(samples)
        };
        let (dull, plain, sharp) = (noise(&[40, 30]), noise(&[40]), noise(&[40, 220]));
        assert!(roughness(&dull) < -3.0, "{}", roughness(&dull));
        assert!((2.5..3.5).contains(&roughness(&plain)));
        assert!(roughness(&sharp) > 4.0);
    }

    #[test]
    fn any_bytes_make_a_bounded_noise() {
        for coded in [0, 1, 127, 254, 255] {
            let made = noise(&[&[10][..], &[coded; 30]].concat());
            assert!(made.iter().any(|&s| s != 0));
            assert!(dbov(&made) < 0.0);
        }
    }

    #[test]
    fn another_level_is_reached_without_a_step() {
        let mut noise = ComfortNoise::new(13);
        let mut frame = [0; 160];
        noise.set(&[70], false);
        noise.fill(&mut frame);
        noise.set(&[40], true);
        noise.fill(&mut frame);
        assert!(dbov(&frame[..8]) < -50.0, "{}", dbov(&frame[..8]));
        noise.fill(&mut frame);
        assert!((dbov(&frame) + 40.0).abs() < 2.0);
    }
}
