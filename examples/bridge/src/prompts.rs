//! The prompt set: the embedded English one, replaced file by file from a directory.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use conclave_conference::Prompt;
use conclave_engine::Pcm;

/// Name and bytes of each embedded file.
static EMBEDDED: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/prompts.rs"));

/// What is wrong with a prompt set.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PromptError {
    #[error("cannot read the prompts in {path}: {source}", path = path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{path}: no prompt is called '{name}'; take the file away or give it a prompt's name", path = path.display())]
    Unknown { path: PathBuf, name: String },
    #[error("{path} is no prompt: {problem}", path = path.display())]
    Broken { path: PathBuf, problem: String },
}

/// Every prompt with its sound.
pub(crate) fn load(overrides: Option<&Path>) -> Result<Vec<(Prompt, Pcm)>, PromptError> {
    let mut set = Vec::with_capacity(Prompt::ALL.len());
    for (name, bytes) in EMBEDDED {
        let path = PathBuf::from(format!("built-in/{name}.wav"));
        set.push((
            known(&path, name)?,
            Pcm::from_wav(bytes).map_err(|problem| PromptError::Broken { path, problem })?,
        ));
    }
    if let Some(directory) = overrides {
        replace(&mut set, directory)?;
    }
    Ok(set)
}

fn replace(set: &mut Vec<(Prompt, Pcm)>, directory: &Path) -> Result<(), PromptError> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |source| PromptError::Read { path, source }
    };
    for file in fs::read_dir(directory).map_err(unreadable(directory))? {
        let path = file.map_err(unreadable(directory))?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        if path.extension().is_none_or(|ending| ending != "wav") {
            // A prompt that is silently not played would be sought for long; a README does no harm.
            if Prompt::from_name(&name.to_lowercase()).is_some() {
                return Err(PromptError::Broken {
                    problem: "prompts are files called NAME.wav".to_owned(),
                    path,
                });
            }
            continue;
        }
        let prompt = known(&path, &name)?;
        let bytes = fs::read(&path).map_err(unreadable(&path))?;
        let sound = Pcm::from_wav(&bytes).map_err(|problem| PromptError::Broken {
            path: path.clone(),
            problem,
        })?;
        set.retain(|(other, _)| *other != prompt);
        set.push((prompt, sound));
    }
    Ok(())
}

fn known(path: &Path, name: &str) -> Result<Prompt, PromptError> {
    Prompt::from_name(name).ok_or_else(|| PromptError::Unknown {
        path: path.to_owned(),
        name: name.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_prompt_is_embedded() {
        let set = load(None).unwrap();
        let missing: Vec<_> = Prompt::ALL
            .iter()
            .filter(|prompt| !set.iter().any(|(p, _)| p == *prompt))
            .collect();
        assert!(missing.is_empty(), "{missing:?}");
        assert_eq!(set.len(), Prompt::ALL.len());
    }

    #[test]
    fn overrides_are_checked_by_name_and_content() {
        let directory = tempfile::tempdir().unwrap();
        let check = |file: &str, content: &[u8], expected: &str| {
            let path = directory.path().join(file);
            fs::write(&path, content).unwrap();
            let error = load(Some(directory.path())).unwrap_err().to_string();
            assert!(error.contains(expected) && error.contains(file), "{error}");
            fs::remove_file(path).unwrap();
        };
        check("wellcome.wav", b"", "no prompt is called 'wellcome'");
        check("welcome.wav", b"RIFFxxxx", "");
        check("welcome.mp3", b"", "NAME.wav");
        check("Welcome.WAV", b"", "NAME.wav");
        let (_, bytes) = EMBEDDED
            .iter()
            .find(|(name, _)| *name == "entry-tone")
            .unwrap();
        fs::write(directory.path().join("exit-tone.wav"), bytes).unwrap();
        let set = load(Some(directory.path())).unwrap();
        let sound = |prompt| &set.iter().find(|(p, _)| *p == prompt).unwrap().1;
        assert_eq!(
            sound(Prompt::ExitTone).samples,
            sound(Prompt::EntryTone).samples
        );
    }
}
