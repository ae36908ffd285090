//! Ending a file whose recorder was killed.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::Path,
    time::Duration,
};

use crate::RecordError;

/// A page's head before its table of segments (RFC 3533, section 6).
const HEAD: usize = 27;
const ENDS_STREAM: u8 = 4;

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mended {
    /// Recorded time.
    pub time: Duration,
    /// The file's length.
    pub bytes: u64,
}

struct Page {
    begins: u64,
    ends: u64,
    /// Samples up to its end, those before the beginning included.
    granule: u64,
}

/// Ends a file of ours as if it had been finished: what lies behind its last whole page is cut off, and that page is marked as
/// the last one. A file that was finished stays as it is.
///
/// # Errors
/// The file can't be read or written, or is no recording.
pub fn mend(path: &Path) -> Result<Mended, RecordError> {
    let mended = OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .and_then(|mut file| mend_file(&mut file));
    mended.map_err(|error| RecordError::new(path, error))
}

fn mend_file(file: &mut File) -> io::Result<Mended> {
    let length = file.metadata()?.len();
    let mut head = [0; HEAD];
    let mut last: Option<Page> = None;
    let mut begins = 0;
    let mut pages = 0;
    let mut pre_skip = 0;
    while let Some(page) = page_at(file, begins, length, &mut head)? {
        if pages == 0 {
            pre_skip = pre_skip_in(file)?;
        }
        pages += 1;
        begins = page.ends;
        last = Some(page);
    }
    let last = last.filter(|_| pages >= 2);
    let last = last.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "no recording"))?;
    if last.ends < length {
        file.set_len(last.ends)?;
    }
    mark_as_last(file, &last)?;
    file.sync_all()?;
    let samples = last.granule.saturating_sub(pre_skip);
    Ok(Mended {
        time: Duration::from_micros(samples * 125 / 6),
        bytes: last.ends,
    })
}

fn page_at(
    file: &mut File,
    begins: u64,
    length: u64,
    head: &mut [u8; HEAD],
) -> io::Result<Option<Page>> {
    let table = begins + HEAD as u64;
    if table > length {
        return Ok(None);
    }
    file.seek(SeekFrom::Start(begins))?;
    file.read_exact(head)?;
    let segments = u64::from(head[26]);
    if !head.starts_with(b"OggS") || table + segments > length {
        return Ok(None);
    }
    let mut lengths = [0; 255];
    let lengths = &mut lengths[..segments as usize];
    file.read_exact(lengths)?;
    let body: u64 = lengths.iter().map(|length| u64::from(*length)).sum();
    let ends = table + segments + body;
    let granule = u64::from_le_bytes(std::array::from_fn(|n| head[6 + n]));
    Ok((ends <= length).then_some(Page {
        begins,
        ends,
        granule,
    }))
}

/// Of the file's first page, whose one packet is the `OpusHead`.
fn pre_skip_in(file: &mut File) -> io::Result<u64> {
    let mut head = [0; 12];
    file.seek(SeekFrom::Start(HEAD as u64 + 1))?;
    file.read_exact(&mut head)?;
    if !head.starts_with(b"OpusHead") {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "no recording"));
    }
    Ok(u16::from_le_bytes([head[10], head[11]]).into())
}

fn mark_as_last(file: &mut File, page: &Page) -> io::Result<()> {
    let mut bytes = vec![0; (page.ends - page.begins) as usize];
    file.seek(SeekFrom::Start(page.begins))?;
    file.read_exact(&mut bytes)?;
    if bytes[5] & ENDS_STREAM != 0 {
        return Ok(());
    }
    bytes[5] |= ENDS_STREAM;
    bytes[22..26].fill(0);
    let sum = checksum(&bytes);
    bytes[22..26].copy_from_slice(&sum.to_le_bytes());
    file.seek(SeekFrom::Start(page.begins))?;
    file.write_all(&bytes[..HEAD])
}

/// Of a page (RFC 3533, section 6): CRC-32 with the polynomial 04c11db7, most significant bit first, from 0.
fn checksum(page: &[u8]) -> u32 {
    page.iter().fold(0, |sum: u32, byte| {
        (0..8).fold(sum ^ u32::from(*byte) << 24, |sum, _| {
            sum << 1 ^ if sum >> 31 == 1 { 0x04c1_1db7 } else { 0 }
        })
    })
}
