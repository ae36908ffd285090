//! A benchmark that compares: on a shared machine an absolute time says little, a ratio within one run much.

use std::time::{Duration, Instant};

/// The median time of one call of each of `runs`, all of them taking turns, so that whatever else the machine does
/// disturbs them alike.
pub fn compare(runs: &mut [&mut dyn FnMut()]) -> Vec<Duration> {
    const ROUNDS: usize = 41;
    let calls: Vec<u32> = runs
        .iter_mut()
        .map(|run| calls_for(Duration::from_millis(2), run))
        .collect();
    let mut times = vec![Vec::with_capacity(ROUNDS); runs.len()];
    for _ in 0..ROUNDS {
        for ((run, times), &calls) in runs.iter_mut().zip(&mut times).zip(&calls) {
            let start = Instant::now();
            for _ in 0..calls {
                run();
            }
            times.push(start.elapsed() / calls);
        }
    }
    for times in &mut times {
        times.sort_unstable();
    }
    times.iter().map(|times| times[ROUNDS / 2]).collect()
}

fn calls_for(time: Duration, run: &mut dyn FnMut()) -> u32 {
    let start = Instant::now();
    let mut calls = 0;
    while start.elapsed() < time {
        run();
        calls += 1;
    }
    calls
}
