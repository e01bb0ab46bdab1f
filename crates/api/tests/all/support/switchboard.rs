//! A switchboard whose calls are what a test says.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use api::{Answer, Switchboard, Unavailable};
use leg::{
    CallAction, CallFlow, CallView, Command, ExtensionRef, Refusal, RegistrationView, ReplaceView,
    Reply,
};
use model::{CallApiId, ExtensionId, Snapshot, TenantId, Wall};
use store::Store;
use tokio::sync::Semaphore;

use super::START;

pub(crate) struct Played {
    store: Store,
    snapshots: Mutex<BTreeMap<TenantId, Arc<Snapshot>>>,
    calls: Mutex<Vec<(TenantId, Arc<CallView>)>>,
    registrations: Mutex<Vec<(TenantId, RegistrationView)>>,
    /// What was asked to be done, in order.
    pub(crate) asked: Mutex<Vec<Command>>,
    /// How every action is refused.
    pub(crate) refusing: Mutex<Option<Refusal>>,
    /// Who serves whom.
    pub(crate) replaced: Mutex<Vec<(TenantId, ReplaceView)>>,
    /// Whose messages have changed.
    pub(crate) messages_changed: Mutex<Vec<(TenantId, ExtensionId)>>,
    /// Actions wait until the test lets one through.
    pub(crate) gate: Mutex<Option<Arc<Semaphore>>>,
    /// Takes no commands.
    pub(crate) away: AtomicBool,
    /// Never says that it uses a new snapshot.
    pub(crate) stuck: AtomicBool,
}

impl Played {
    pub(crate) fn new(store: Store) -> Played {
        Played {
            store,
            snapshots: Mutex::default(),
            calls: Mutex::default(),
            registrations: Mutex::default(),
            asked: Mutex::default(),
            refusing: Mutex::default(),
            replaced: Mutex::default(),
            messages_changed: Mutex::default(),
            gate: Mutex::default(),
            away: AtomicBool::new(false),
            stuck: AtomicBool::new(false),
        }
    }

    /// Uses what is stored now.
    pub(crate) async fn load(&self, tenant: TenantId) {
        let snapshot = self.store.snapshot(tenant).await.unwrap().unwrap();
        self.snapshots.lock().unwrap().insert(tenant, Arc::new(snapshot));
    }

    pub(crate) fn refer(&self, tenant: TenantId, id: ExtensionId) -> ExtensionRef {
        let snapshots = self.snapshots.lock().unwrap();
        let snapshot = &snapshots[&tenant];
        let extension = snapshot.extension(id).unwrap();
        ExtensionRef {
            id,
            client_id: tenant,
            name: snapshot.full_name(extension),
            kind: "phone",
            group: extension.group,
        }
    }

    /// The first phone talks with the second: each has its side of the call.
    pub(crate) fn begin_call(&self, tenant: TenantId, call: CallApiId, phones: [ExtensionId; 2]) {
        let [caller, called] = phones.map(|id| self.refer(tenant, id));
        for (extension, flow) in [(&caller, CallFlow::Out), (&called, CallFlow::In)] {
            let view = CallView {
                call_api_id: Some(call),
                extension: Some(extension.clone()),
                flow: Some(flow),
                called_number: "101".to_owned(),
                called_did: None,
                caller_id_number: caller.name.clone(),
                caller_id_name: "Anna \"A\"".to_owned(),
                caller_extension: Some(caller.clone()),
                called_extension: Some(called.clone()),
                init_time: START,
                answer_time: Some(Wall(START.0 + 2_380_000)),
                record_uuid: None,
                real_call: true,
                subcall_id: format!("{}-{:032x}", extension.id, 255),
                callback_id: None,
                rendered: Default::default(),
            };
            self.calls.lock().unwrap().push((tenant, Arc::new(view)));
        }
    }

    /// The very views of a tenant.
    pub(crate) fn views(&self, tenant: TenantId) -> Vec<Arc<CallView>> {
        let calls = self.calls.lock().unwrap();
        calls.iter().filter(|(t, _)| *t == tenant).map(|(_, v)| Arc::clone(v)).collect()
    }

    pub(crate) fn register(&self, tenant: TenantId, view: RegistrationView) {
        self.registrations.lock().unwrap().push((tenant, view));
    }

    /// The first phone of a client serves the second.
    pub(crate) fn replace(&self, tenant: TenantId, phones: [ExtensionId; 2]) {
        let [by, with] = phones.map(|id| self.refer(tenant, id));
        self.replaced.lock().unwrap().push((tenant, ReplaceView { by, with, since: START }));
    }

    fn controlled(&self, found: Option<Arc<CallView>>, action: &CallAction) -> Reply {
        let Some(call) = found else { return Reply::Refused(Refusal::NoSuchCall) };
        if let Some(refusal) = *self.refusing.lock().unwrap() {
            return Reply::Refused(refusal);
        }
        let slot = match action {
            CallAction::Park(slot) | CallAction::Bridge(slot) => Some(slot.unwrap_or(1)),
            _ => None,
        };
        let parked = call.call_api_id.filter(|_| slot.is_some()).map(|call| call.uuid);
        Reply::Controlled { call, slot, parked }
    }

    fn answer(&self, tenant: TenantId, command: Command) -> Reply {
        let side = |view: &CallView, extension: ExtensionId| {
            view.extension.as_ref().map(|e| e.id) == Some(extension)
        };
        let views = self.views(tenant);
        match command {
            Command::ListCalls { extension } => Reply::Calls(
                views.into_iter().filter(|v| extension.is_none_or(|e| side(v, e))).collect(),
            ),
            Command::ShowCall { extension, call } => {
                let found =
                    views.into_iter().find(|v| side(v, extension) && v.call_api_id == Some(call));
                found.map_or(Reply::Refused(Refusal::NoSuchCall), Reply::Call)
            }
            Command::Hangup { extension, call } => {
                if !views.iter().any(|v| side(v, extension) && v.call_api_id == Some(call)) {
                    return Reply::Refused(Refusal::NoSuchCall);
                }
                self.calls
                    .lock()
                    .unwrap()
                    .retain(|(t, v)| *t != tenant || v.call_api_id != Some(call));
                Reply::Done
            }
            Command::Control { extension, call, action, .. } => {
                let found =
                    views.into_iter().find(|v| side(v, extension) && v.call_api_id == Some(call));
                self.controlled(found, &action)
            }
            // The call of the client is parked in slot 6.
            Command::ListSlots { slot: None } => Reply::Slots(vec![1, 2, 3, 4, 5, 7, 8, 9]),
            Command::ListSlots { slot: Some(slot) } => {
                let parked = views.first().and_then(|view| view.call_api_id);
                Reply::Slot(parked.filter(|_| slot == 6).map(|call| call.uuid))
            }
            Command::NoteMessages { .. } => Reply::Done,
            Command::ListReplaced => {
                let all = self.replaced.lock().unwrap();
                Reply::Replaced(
                    all.iter().filter(|(t, _)| *t == tenant).map(|(_, v)| v.clone()).collect(),
                )
            }
            Command::EndReplace { extension, .. } => {
                let mut all = self.replaced.lock().unwrap();
                let before = all.len();
                all.retain(|(_, pair)| pair.by.id != extension && pair.with.id != extension);
                match before == all.len() {
                    true => Reply::Refused(Refusal::NotReplaced),
                    false => Reply::Done,
                }
            }
            Command::ListRegistrations { extension } => {
                let all = self.registrations.lock().unwrap();
                let own = all.iter().filter(|(t, _)| *t == tenant).map(|(_, view)| view);
                let own = own.filter(|v| extension.is_none_or(|e| v.extension == e));
                Reply::Registrations(own.cloned().collect())
            }
        }
    }
}

impl Switchboard for Played {
    fn messages_changed(&self, tenant: TenantId, extension: ExtensionId) -> Answer<'_, ()> {
        self.messages_changed.lock().unwrap().push((tenant, extension));
        Box::pin(std::future::ready(()))
    }

    fn command(
        &self,
        tenant: TenantId,
        command: Command,
    ) -> Answer<'_, Result<Reply, Unavailable>> {
        if self.away.load(Ordering::Relaxed) {
            return Box::pin(std::future::ready(Err(Unavailable)));
        }
        let acts = matches!(command, Command::Control { .. } | Command::EndReplace { .. });
        if acts {
            self.asked.lock().unwrap().push(command.clone());
        }
        let gate = self.gate.lock().unwrap().clone().filter(|_| acts);
        Box::pin(async move {
            if let Some(gate) = gate {
                gate.acquire().await.unwrap().forget();
            }
            Ok(self.answer(tenant, command))
        })
    }

    fn snapshot(&self, tenant: TenantId) -> Option<Arc<Snapshot>> {
        self.snapshots.lock().unwrap().get(&tenant).cloned()
    }

    fn changed(&self, tenant: TenantId) -> Answer<'_, ()> {
        Box::pin(async move {
            if self.stuck.load(Ordering::Relaxed) {
                std::future::pending::<()>().await;
            }
            self.load(tenant).await;
        })
    }
}
