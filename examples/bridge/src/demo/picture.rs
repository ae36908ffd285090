//! Draws who heard whom, and when, as an SVG.

use std::fmt::Write as _;

/// One telephone's row: what it heard.
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) colour: &'static str,
    /// For each telephone, in the order of the rows, the seconds in which it was heard here.
    pub(crate) heard: Vec<Vec<(f32, f32)>>,
    /// When the hold music was heard.
    pub(crate) music: Vec<(f32, f32)>,
    /// What else happened, and when.
    pub(crate) marks: Vec<(f32, String)>,
    /// From the answer to the end.
    pub(crate) call: (f32, f32),
}

const WIDTH: f32 = 1200.0;
const LEFT: f32 = 90.0;
const LANE: f32 = 14.0;

/// The picture; `length` is that of the whole, in seconds.
pub(crate) fn draw(rows: &[Row], length: f32) -> String {
    let lanes = rows.len() + 1;
    let row_height = LANE * lanes as f32 + 100.0;
    let height = 60.0 + row_height * rows.len() as f32;
    let x = |seconds: f32| LEFT + (WIDTH - LEFT - 20.0) * seconds / length;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <text x=\"{LEFT}\" y=\"22\" font-size=\"15\">Who heard whom (measured in what each telephone received)</text>\n"
    );
    for second in (0..=length as u32).step_by(5) {
        let at = x(second as f32);
        let _ = writeln!(
            svg,
            "<line x1=\"{at:.1}\" y1=\"34\" x2=\"{at:.1}\" y2=\"{height}\" stroke=\"#e4e4e4\"/><text x=\"{at:.1}\" y=\"46\" fill=\"#777\">{second} s</text>"
        );
    }
    let bar = |svg: &mut String, (from, to): (f32, f32), y: f32, colour: &str| {
        let _ = writeln!(
            svg,
            "<rect x=\"{:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{:.1}\" rx=\"2\" fill=\"{colour}\"/>",
            x(from),
            (x(to) - x(from)).max(1.0),
            LANE - 3.0
        );
    };
    for (index, row) in rows.iter().enumerate() {
        let top = 60.0 + row_height * index as f32;
        let _ = writeln!(
            svg,
            "<text x=\"10\" y=\"{:.1}\" font-size=\"14\" font-weight=\"bold\" fill=\"{}\">{}</text><text x=\"10\" y=\"{:.1}\" fill=\"#777\">heard</text>",
            top + 14.0,
            row.colour,
            escape(&row.name),
            top + 30.0
        );
        let _ = writeln!(
            svg,
            "<rect x=\"{:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"#f6f6f6\" stroke=\"#ddd\"/>",
            x(row.call.0),
            x(row.call.1) - x(row.call.0),
            LANE * lanes as f32
        );
        for (lane, heard) in row.heard.iter().enumerate() {
            for span in heard {
                bar(
                    &mut svg,
                    *span,
                    top + LANE * lane as f32 + 1.5,
                    rows[lane].colour,
                );
            }
        }
        for span in &row.music {
            bar(
                &mut svg,
                *span,
                top + LANE * rows.len() as f32 + 1.5,
                "#c9b8e8",
            );
        }
        // Labels step down in four lines, so that neighbours can be read.
        let bottom = top + LANE * lanes as f32;
        for (number, (at, label)) in row.marks.iter().enumerate() {
            let y = bottom + 14.0 + 13.0 * (number % 6) as f32;
            let _ = writeln!(
                svg,
                "<line x1=\"{0:.1}\" y1=\"{top:.1}\" x2=\"{0:.1}\" y2=\"{y:.1}\" stroke=\"#999\" stroke-dasharray=\"1 2\"/>\
                 <text x=\"{1:.1}\" y=\"{y:.1}\" fill=\"#333\">{2}</text>",
                x(*at),
                x(*at) + 2.0,
                escape(label)
            );
        }
    }
    svg.push_str("</svg>\n");
    svg
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// The stretches in which a row of frames of 20 ms is true, those shorter than 60 ms left out, gaps below 200 ms closed.
pub(crate) fn spans(frames: &[bool]) -> Vec<(f32, f32)> {
    let mut spans: Vec<(usize, usize)> = Vec::new();
    for (index, on) in frames.iter().enumerate() {
        if *on {
            match spans.last_mut() {
                Some((_, end)) if index - *end < 10 => *end = index + 1,
                _ => spans.push((index, index + 1)),
            }
        }
    }
    spans.retain(|(start, end)| end - start >= 3);
    spans
        .into_iter()
        .map(|(start, end)| (start as f32 / 50.0, end as f32 / 50.0))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_close_gaps_and_drop_specks() {
        let mut frames = vec![false; 100];
        frames[10..20].fill(true);
        frames[25..30].fill(true);
        frames[60] = true;
        assert_eq!(spans(&frames), [(0.2, 0.6)]);
    }
}
