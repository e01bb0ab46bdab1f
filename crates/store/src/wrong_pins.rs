//! Table `wrong_pins`: how many wrong PINs were said lately, for who must not guess again.

use std::collections::BTreeMap;

use leg::{PinKind, WrongPinCount};
use model::{ExtensionId, TenantId, Wall};

use crate::connection::Connection;
use crate::db::{self, signed, unknown_word, unsigned};
use crate::error::StoreError;
use crate::limits;
use crate::query::{ManyRows, query};

db::statements! {
    /// For the node itself at its start.
    SELECT_LIVE = "SELECT client_id, target_id, actor_id, kind, wrong, until_us FROM wrong_pins \
        WHERE until_us > $1 ORDER BY client_id, until_us, target_id, actor_id, kind";
    FORGET_OVER = "DELETE FROM wrong_pins \
        WHERE client_id = $1 AND (until_us <= $2 OR wrong = 0)";
}

/// Whose wrong ones, at whose PIN; of all together without the actor.
pub(crate) type CountKey = (TenantId, ExtensionId, Option<ExtensionId>, PinKind);

/// Writes the newest counts. What is over at a client of which there are any is forgotten, so that
/// no more lies here than was said lately.
pub(crate) async fn save(
    connection: &mut Connection,
    newest: &BTreeMap<CountKey, &WrongPinCount>,
) -> Result<(), StoreError> {
    let counts: Vec<&WrongPinCount> = newest.values().copied().collect();
    for part in counts.chunks(limits::ROWS_PER_STATEMENT) {
        save_statement(part)?
            .execute(connection)
            .await
            .map_err(StoreError::doing("save wrong PINs"))?;
    }
    let mut written = BTreeMap::new();
    for count in counts {
        // The earliest: what a clock that was set back has written is not over yet.
        let at = written.entry(count.tenant).or_insert(count.at);
        *at = count.at.min(*at);
    }
    for (tenant, at) in written {
        query(FORGET_OVER)
            .bind(signed(tenant.0)?)
            .bind(at.0)
            .execute(connection)
            .await
            .map_err(StoreError::doing("forget wrong PINs"))?;
    }
    Ok(())
}

pub(crate) fn save_statement<'a>(
    counts: &'a [&'a WrongPinCount],
) -> Result<ManyRows<'a>, StoreError> {
    let rows = counts
        .iter()
        .map(|count| {
            let actor = count.actor.map_or(0, |actor| actor.0);
            let ids = [count.tenant.0, count.target.0, actor];
            let [client, target, actor] = ids.map(signed);
            Ok((client?, target?, actor?, count))
        })
        .collect::<Result<Vec<_>, StoreError>>()?;
    let mut statement = ManyRows::new(
        "INSERT INTO wrong_pins (client_id, target_id, actor_id, kind, wrong, until_us) ",
    );
    statement.push_values(rows, |row, (client, target, actor, count)| {
        row.push_bind(client)
            .push_bind(target)
            .push_bind(actor)
            .push_bind(count.pin.as_str())
            .push_bind(i64::from(count.wrong))
            .push_bind(count.until.0);
    });
    statement.push(
        " ON CONFLICT (client_id, target_id, actor_id, kind) DO UPDATE SET \
         wrong = excluded.wrong, until_us = excluded.until_us",
    );
    Ok(statement)
}

/// What counts still in all clients, for [`crate::operator`].
pub(crate) async fn live(
    connection: &mut Connection,
    now: Wall,
) -> Result<Vec<WrongPinCount>, StoreError> {
    let rows: Vec<(i64, i64, i64, String, i64, i64)> = query(SELECT_LIVE)
        .bind(now.0)
        .fetch_all(connection)
        .await
        .map_err(StoreError::doing("read wrong PINs"))?;
    rows.into_iter()
        .map(|(client, target, actor, kind, wrong, until)| {
            let actor = unsigned(actor, "wrong_pins.actor_id")?;
            Ok(WrongPinCount {
                tenant: TenantId(unsigned(client, "wrong_pins.client_id")?),
                pin: kind_of(&kind)?,
                actor: (actor != 0).then_some(ExtensionId(actor)),
                target: ExtensionId(unsigned(target, "wrong_pins.target_id")?),
                wrong: unsigned(wrong, "wrong_pins.wrong")?,
                at: now,
                until: Wall(until),
            })
        })
        .collect()
}

fn kind_of(word: &str) -> Result<PinKind, StoreError> {
    let found = PinKind::ALL.into_iter().find(|kind| kind.as_str() == word);
    found.ok_or_else(|| unknown_word("wrong_pins.kind", word))
}
