//! `conclave-bridge keys`: the keys that PINs are hashed under.

use conclave_store::{Keys, Store};
use serde_json::json;

use crate::{
    account::existing,
    cli::{self, Common, KeysRetire},
    data::Data,
    output::{Failure, print, print_json},
};

pub(crate) async fn run(command: cli::Keys) -> Result<(), Failure> {
    match command {
        cli::Keys::Status(common) => self::status(common).await,
        cli::Keys::Rotate(common) => self::rotate(common).await,
        cli::Keys::Retire(retire) => self::retire(retire).await,
    }
}

async fn status(common: Common) -> Result<(), Failure> {
    let (data, _) = existing(&common.place).await?;
    let current = data.keys.current_pin_key_id();
    let counts = counts(&data).await?;
    if common.json {
        let keys: Vec<_> = counts
            .iter()
            .map(|(id, pins)| json!({ "id": id, "pins": pins, "current": *id == current }))
            .collect();
        return print_json(&json!({ "current": current, "keys": keys }));
    }
    print("KEY  PINS IN USE")?;
    for (id, pins) in counts {
        let note = if id == current {
            "   (current: new PINs are kept under it)"
        } else {
            ""
        };
        print(&format!("{id:>3}  {pins}{note}"))?;
    }
    Ok(())
}

/// Of every key in the file, the current one last, how many PINs are kept under it.
async fn counts(data: &Data) -> Result<Vec<(u32, u64)>, Failure> {
    let counted = data.store.pins_by_key().await?;
    let of = |id: u32| {
        let count = counted.iter().find(|(key, _)| *key == id);
        count.map_or(0, |(_, pins)| *pins)
    };
    Ok(data.keys.pin_key_ids().map(|id| (id, of(id))).collect())
}

async fn rotate(common: Common) -> Result<(), Failure> {
    let (data, _) = existing(&common.place).await?;
    let keys =
        Keys::rotate_pin_key(&common.place.data.data, rand::random()).map_err(Failure::usage)?;
    let id = keys.current_pin_key_id();
    // Opened anew, the database learns to know the new key.
    data.store.close().await;
    let (data, _) = existing(&common.place).await?;
    let note = json!({ "key": id });
    data.store.note("keys.rotated", &note, &data.act()).await?;
    if common.json {
        return print_json(&json!({ "current": id }));
    }
    print(&format!(
        "New PINs are kept under key {id} from now on. PINs in use move to it one by one, each when it is next entered; \
         `keys status` shows how many are left."
    ))?;
    print("Back up the file `keys` now: an older copy of it doesn't know the new PINs.")
}

async fn retire(retire: KeysRetire) -> Result<(), Failure> {
    let (data, _) = existing(&retire.common.place).await?;
    let current = data.keys.current_pin_key_id();
    let ids: Vec<u32> = data.keys.pin_key_ids().collect();
    if !ids.contains(&retire.id) {
        let ids: Vec<_> = ids.iter().map(u32::to_string).collect();
        return Err(Failure::usage(format!(
            "there is no key {}; there are {}",
            retire.id,
            ids.join(", ")
        )));
    }
    let Some(keep_from) = ids.into_iter().find(|id| *id > retire.id) else {
        return Err(Failure::usage(format!(
            "key {current} is the current one: `keys rotate` makes another first"
        )));
    };
    let lost: u64 = counts(&data)
        .await?
        .iter()
        .filter(|(id, _)| *id < keep_from)
        .map(|(_, pins)| pins)
        .sum();
    if lost > 0 && !retire.yes {
        return Err(Failure::usage(format!(
            "{lost} PINs in use are kept under key {} or an older one and would stop working: wait until they have been \
             entered once more, or draw new ones (`account reset-pin`); --yes retires the keys all the same",
            retire.id
        )));
    }
    Keys::drop_pin_keys(&retire.common.place.data.data, keep_from).map_err(Failure::usage)?;
    let note = json!({ "key": retire.id, "lost": lost });
    data.store.note("keys.retired", &note, &data.act()).await?;
    if retire.common.json {
        return print_json(&json!({ "current": current, "lost": lost }));
    }
    print(&format!(
        "Keys up to {} are gone; {lost} PINs stopped working{}.",
        retire.id,
        if lost > 0 {
            ": `account reset-pin` gives their accounts new ones"
        } else {
            ""
        }
    ))
}
