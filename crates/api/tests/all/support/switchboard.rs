//! A switchboard whose calls are what a test says.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use api::{Answer, Switchboard, Unavailable};
use leg::{CallFlow, CallView, Command, ExtensionRef, Refusal, RegistrationView, Reply};
use model::{CallApiId, ExtensionId, Snapshot, TenantId, Wall};
use store::Store;

use super::START;

pub(crate) struct Played {
    store: Store,
    snapshots: Mutex<BTreeMap<TenantId, Arc<Snapshot>>>,
    calls: Mutex<Vec<(TenantId, Arc<CallView>)>>,
    registrations: Mutex<Vec<(TenantId, RegistrationView)>>,
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
            away: AtomicBool::new(false),
            stuck: AtomicBool::new(false),
        }
    }

    /// Uses what is stored now.
    pub(crate) async fn load(&self, tenant: TenantId) {
        let snapshot = self.store.snapshot(tenant).await.unwrap().unwrap();
        self.snapshots.lock().unwrap().insert(tenant, Arc::new(snapshot));
    }

    fn refer(&self, tenant: TenantId, id: ExtensionId) -> ExtensionRef {
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
            Command::Control { .. }
            | Command::ListSlots { .. }
            | Command::ListReplaced
            | Command::EndReplace { .. } => Reply::Refused(Refusal::NoSuchCall),
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
    fn command(
        &self,
        tenant: TenantId,
        command: Command,
    ) -> Answer<'_, Result<Reply, Unavailable>> {
        let away = self.away.load(Ordering::Relaxed);
        let reply = if away { Err(Unavailable) } else { Ok(self.answer(tenant, command)) };
        Box::pin(std::future::ready(reply))
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
