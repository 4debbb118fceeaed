//! How long a sound file plays: from the file itself, from the scenario's table, or by an estimate.
//! Reads files' sizes and headers, never their sound.

use super::words;
use crate::scenario::Asterisk;
use std::{
    collections::BTreeMap,
    fs,
    io::Read as _,
    path::{Path, PathBuf},
    time::Duration,
};

/// A sound file, as far as playing it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sound {
    /// At the file's own rate.
    pub(super) samples: u64,
    /// Samples a second.
    pub(super) rate: u32,
}

impl Sound {
    fn lasting(duration: Duration) -> Self {
        // Whole frames of 20 ms, as telephone audio comes.
        let frames = (duration.as_millis() as u64).div_ceil(20);
        Self { samples: frames * 160, rate: 8000 }
    }

    /// How long `samples` of it play.
    pub(super) fn time(self, samples: u64) -> Duration {
        Duration::from_micros(samples.saturating_mul(1_000_000) / u64::from(self.rate))
    }

    /// How long all of it plays.
    pub(super) fn duration(self) -> Duration {
        self.time(self.samples)
    }

    /// Samples played after `time`, in whole frames of 20 ms.
    pub(super) fn samples_after(self, time: Duration) -> u64 {
        time.as_millis() as u64 / 20 * u64::from(self.rate / 50)
    }
}

/// The sound files of this Asterisk.
#[derive(Debug)]
pub(super) struct Sounds {
    folder: Option<PathBuf>,
    table: BTreeMap<String, Duration>,
    missing: Vec<String>,
    recorded: BTreeMap<String, Sound>,
}

/// Formats that can be written and played: ending, bytes and samples of one block, samples a second.
const FORMATS: [(&str, u64, u64, u32); 15] = [
    ("gsm", 33, 160, 8000),
    ("ulaw", 1, 1, 8000),
    ("ul", 1, 1, 8000),
    ("pcm", 1, 1, 8000),
    ("mu", 1, 1, 8000),
    ("alaw", 1, 1, 8000),
    ("al", 1, 1, 8000),
    ("sln", 2, 1, 8000),
    ("raw", 2, 1, 8000),
    ("sln16", 2, 1, 16000),
    ("g722", 1, 2, 16000),
    ("wav", 2, 1, 8000),
    ("wav16", 2, 1, 16000),
    ("wav49", 65, 320, 8000),
    ("WAV", 65, 320, 8000),
];

/// Lengths of well-known files of Asterisk's English set, in milliseconds.
const KNOWN: [(&str, u64); 14] = [
    ("beep", 440),
    ("beeperr", 360),
    ("hello-world", 1420),
    ("tt-monkeys", 16180),
    ("demo-congrats", 30280),
    ("vm-goodbye", 880),
    ("goodbye", 940),
    ("auth-thankyou", 960),
    ("vm-password", 1100),
    ("agent-pass", 3300),
    ("sorry-youre-having-problems", 2000),
    ("please-try-again", 1260),
    ("digits/1", 920),
    ("digits/2", 760),
];

impl Sounds {
    pub(super) fn new(asterisk: &Asterisk, folder: Option<PathBuf>) -> Self {
        let table = asterisk.sounds.iter().map(|(name, span)| (words::from_people(name), span.0));
        Self {
            folder,
            table: table.collect(),
            missing: asterisk.missing.iter().map(|name| words::from_people(name)).collect(),
            recorded: BTreeMap::new(),
        }
    }

    /// A file by its name without ending; unset when there is none.
    pub(super) fn find(&self, name: &str, language: &str) -> Option<Sound> {
        if let Some(sound) = self.recorded.get(name) {
            return Some(*sound);
        }
        if self.missing.iter().any(|missing| missing == name) {
            return None;
        }
        if let Some(duration) = self.table.get(name) {
            return Some(Sound::lasting(*duration));
        }
        match &self.folder {
            Some(folder) => measure(folder, &words::to_people(name), &words::to_people(language)),
            None => estimate(name).map(Sound::lasting),
        }
    }

    /// How long it plays; nothing when there is no such file.
    pub(super) fn duration(&self, name: &str, language: &str) -> Duration {
        self.find(name, language).map_or(Duration::ZERO, Sound::duration)
    }

    /// The rate at which a format is written; unset when it cannot be, or the file cannot.
    pub(super) fn writable(&self, name: &str, format: &str) -> Option<u32> {
        let writable = !name.is_empty() && !self.missing.iter().any(|missing| missing == name);
        FORMATS.iter().find(|known| known.0 == format && writable).map(|known| known.3)
    }

    /// A recording was made: it can be played from now on.
    pub(super) fn record(&mut self, name: &str, sound: Sound) {
        self.recorded.insert(name.to_owned(), sound);
    }
}

/// Without files: well-known lengths, then one second and 0.15 s for each character of the name, which is what
/// Asterisk's English prompts come to on the average. A list or a name with its ending is no file name.
fn estimate(name: &str) -> Option<Duration> {
    if name.contains('&')
        || FORMATS.iter().any(|(ending, ..)| name.ends_with(&format!(".{ending}")))
    {
        return None;
    }
    if let Some((_, length)) = KNOWN.iter().find(|(known, _)| *known == name) {
        return Some(Duration::from_millis(*length));
    }
    let (folder, base) = name.rsplit_once('/').unwrap_or(("", name));
    Some(Duration::from_millis(match folder {
        "digits" => 880,
        "letters" => 660,
        "phonetic" => 920,
        "silence" => base.parse().unwrap_or(1u64).min(10) * 1000,
        _ => 1000 + 150 * base.chars().count() as u64,
    }))
}

fn measure(folder: &Path, name: &str, language: &str) -> Option<Sound> {
    let name = Path::new(name);
    let places =
        [folder.join(language).join(name), folder.join("en").join(name), folder.join(name)];
    places.iter().find_map(|place| {
        FORMATS.iter().find_map(|&(ending, bytes, samples, rate)| {
            let mut path = place.clone().into_os_string();
            path.push(format!(".{ending}"));
            let size = fs::metadata(&path).ok().filter(fs::Metadata::is_file)?.len();
            if ending == "wav" {
                return wav(Path::new(&path)).or(Some(Sound { samples: size / 2, rate }));
            }
            Some(Sound { samples: size / bytes * samples, rate })
        })
    })
}

/// Rate and length by the header of a RIFF file.
fn wav(path: &Path) -> Option<Sound> {
    let mut header = Vec::new();
    fs::File::open(path).ok()?.take(4096).read_to_end(&mut header).ok()?;
    let word = |at: usize| -> Option<u32> {
        Some(u32::from_le_bytes(header.get(at..at + 4)?.try_into().ok()?))
    };
    if header.get(..4)? != b"RIFF" {
        return None;
    }
    let (mut at, mut rate, mut block) = (12, 8000, 2);
    loop {
        let size = word(at + 4)?;
        match header.get(at..at + 4)? {
            b"fmt " => {
                rate = word(at + 12)?.max(50);
                block = u64::from(word(at + 20)? & 0xffff).max(1);
            }
            b"data" => return Some(Sound { samples: u64::from(size) / block, rate }),
            _ => {}
        }
        at = at.checked_add(8)?.checked_add(size as usize)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Span;

    #[test]
    fn files_are_measured_by_size_and_header() {
        let folder = tempfile::tempdir().expect("a folder");
        let en = folder.path().join("en");
        fs::create_dir(&en).expect("a folder");
        fs::write(en.join("a.gsm"), vec![0; 330]).expect("written");
        fs::write(en.join("b.sln16"), vec![0; 32000]).expect("written");
        let mut wav =
            b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x80\x3e\0\0\0\x7d\0\0\x02\0\x10\0data"
                .to_vec();
        wav.extend(64_000u32.to_le_bytes());
        fs::write(folder.path().join("c.wav"), wav).expect("written");
        let sounds = Sounds::new(&Asterisk::default(), Some(folder.path().into()));
        assert_eq!(sounds.find("a", "en"), Some(Sound { samples: 1600, rate: 8000 }));
        assert_eq!(sounds.find("b", "de"), Some(Sound { samples: 16000, rate: 16000 }));
        assert_eq!(sounds.find("c", "en"), Some(Sound { samples: 32000, rate: 16000 }));
        assert_eq!(sounds.find("beep", "en"), None, "the folder lacks it");
    }

    #[test]
    fn without_files_a_table_and_an_estimate() {
        let asterisk = Asterisk {
            sounds: [("x".to_owned(), Span(Duration::from_millis(300)))].into(),
            missing: vec!["nosuch".into()],
            ..Asterisk::default()
        };
        let sounds = Sounds::new(&asterisk, None);
        assert_eq!(sounds.find("x", "en"), Some(Sound { samples: 2400, rate: 8000 }));
        assert_eq!(sounds.find("nosuch", "en"), None);
        assert_eq!(sounds.find("beep.gsm", "en"), None);
        assert_eq!(sounds.duration("abcd", "en"), Duration::from_millis(1600));
    }
}
