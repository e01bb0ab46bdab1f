//! The customers of the simulated switch: tenants, their extensions, the directory of all.

use core::fmt::Write as _;
use std::sync::Arc;

use model::control::ControlGroups;
use model::{
    AuthType, Credential, Directory, DisplayName, Extension, ExtensionId, ExtensionKind,
    ExtensionName, ExtensionShown, FileId, Login, Phone, PhoneShown, Prefix, Rights, Routing,
    Secret, Service, Snapshot, SoundId, Status, Tenant, TenantId, TenantKey, Trunk,
};
use sip::digest::Ha1s;

/// The digest realm of the simulated switch.
pub const REALM: &str = "pbx.example";

/// The domain of all its phones.
pub const DOMAIN: &str = "pbx.example";

/// The extension of each company that is the echo service.
pub const ECHO: &str = "199";

/// One customer, as the tests change it.
#[derive(Clone, Debug)]
pub struct Company {
    number: u64,
    revision: u64,
    /// The client record.
    pub tenant: Tenant,
    /// Its extensions.
    pub extensions: Vec<Extension>,
    /// Its trunks.
    pub trunks: Vec<Trunk>,
    /// Where its calls go besides: rules, sounds, settings.
    pub routing: Routing,
    /// Who may do what to whose calls from a telephone.
    pub control: Arc<Rights>,
}

impl Company {
    /// The `number`th company (from 0) with `phones` phones `100`, `101`, ..., and the echo.
    pub fn new(number: u64, phones: u64) -> Company {
        let mut company = Company {
            number,
            revision: 0,
            tenant: Tenant {
                id: TenantId(number + 1),
                key: key(number),
                name: format!("Company {number}"),
                domain: DOMAIN.to_owned(),
                domain_prefix: Prefix::parse("00500").expect("digits"),
                prefix: Prefix::parse(&format!("{:04}", number + 3)).expect("digits"),
                extension_len: 3,
                status: Status::Active,
                calls_max: 500,
                timezone: "UTC".to_owned(),
                create_date: "2026-01-01 00:00:00".to_owned(),
            },
            extensions: Vec::new(),
            trunks: Vec::new(),
            routing: Routing::default(),
            control: Arc::default(),
        };
        for n in 0..phones {
            let name = format!("{}", 100 + n);
            let phone = Phone {
                login: Login::parse(&login(number, &name)).expect("letters and digits"),
                password: Secret::new(&password(number, &name)),
                auth_type: AuthType::Digest,
                incoming_limit: None,
                ring_timeout_s: None,
                shown: PhoneShown::default(),
            };
            company.add(&name, ExtensionKind::Phone, Some(phone));
        }
        company.add(ECHO, ExtensionKind::Service(Service::Echo), None);
        company
    }

    fn add(&mut self, name: &str, kind: ExtensionKind, phone: Option<Phone>) {
        self.extensions.push(Extension {
            id: id_of(self.number, name),
            name: ExtensionName::parse(name).expect("two to four digits"),
            kind,
            status: Status::Active,
            label: DisplayName::parse(&format!("Person {name}")).expect("printable"),
            caller_id_name: None,
            group: None,
            shown: ExtensionShown::default(),
            phone,
        });
    }

    /// Its id.
    pub fn id(&self) -> TenantId {
        self.tenant.id
    }

    /// The id of its extension with this name.
    pub fn extension_id(&self, name: &str) -> ExtensionId {
        id_of(self.number, name)
    }

    /// Its extension with this name, to be changed.
    ///
    /// # Panics
    ///
    /// When there is none.
    pub fn extension(&mut self, name: &str) -> &mut Extension {
        let found = self.extensions.iter_mut().find(|e| e.name.as_str() == name);
        found.unwrap_or_else(|| panic!("no extension {name}"))
    }

    /// The phone settings of its extension with this name, to be changed.
    ///
    /// # Panics
    ///
    /// When there is none.
    pub fn phone(&mut self, name: &str) -> &mut Phone {
        self.extension(name).phone.as_mut().unwrap_or_else(|| panic!("{name} is no phone"))
    }

    /// Sets the incoming call rules of its extension with this name; how they are written says
    /// [`crate::rules`].
    pub fn rules(&mut self, name: &str, rules: &str) {
        let id = self.extension_id(name);
        self.routing.rules.insert(id, Arc::new(crate::rules::read(rules)));
    }

    /// Says who may do what to everybody's calls from a telephone: words such as
    /// `eavesdrop=100,101`, `whisper=100`, `share` (pickup without a number), `replace`, `named`
    /// (pickup with a number within the group alone), `all`. What was said before is gone.
    ///
    /// # Panics
    ///
    /// When a word is none of these.
    pub fn rights(&mut self, text: &str) {
        let everybody: Box<str> = "everybody".into();
        let group = || vec![everybody.clone()];
        let phones = self.extensions.iter().filter(|e| e.phone.is_some());
        let members = phones.map(|e| Box::from(e.name.as_str())).collect();
        let mut document = ControlGroups {
            groups: Some(vec![(everybody.clone(), members)]),
            ..ControlGroups::unwritten()
        };
        for word in text.split_whitespace() {
            let (word, names) = word.split_once('=').unwrap_or((word, ""));
            let actors = names.split(',').map(|name| (Box::from(name), group()));
            match word {
                "all" => document.allow_all = Some(true),
                "named" => document.pickup_all = Some(false),
                "share" => document.pickup_share_groups = Some(group()),
                "replace" => document.phone_replace_groups = Some(group()),
                "eavesdrop" => document.eavesdrop.extend(actors),
                "whisper" => document.whisper.extend(actors),
                other => panic!("no right {other}"),
            }
        }
        let merge = self.routing.settings.shown.pickup_merge;
        let find = |name: &str| {
            let known = self.extensions.iter().find(|e| e.name.as_str() == name);
            known.map(|e| e.id)
        };
        self.control = Arc::new(Rights::compile(document, merge, find));
    }

    /// Gives it a sound of this length.
    pub fn sound(&mut self, id: u64, length_ms: u32) {
        let sound = model::Sound { file: file_of(id), length_ms };
        self.routing.sounds.insert(SoundId(id), Arc::new(sound));
    }

    /// Its configuration as it is now, newer than every one before.
    pub fn snapshot(&mut self) -> Arc<Snapshot> {
        self.revision += 1;
        let extensions = self.extensions.iter().cloned().map(Arc::new);
        let tenant = Arc::new(self.tenant.clone());
        let routing = Arc::new(self.routing.clone());
        let control = Arc::clone(&self.control);
        let snapshot = Snapshot::new(self.revision, tenant, extensions);
        Arc::new(Snapshot { routing, control, ..snapshot })
    }
}

/// The directory of all companies.
pub fn directory(companies: &[Company]) -> Arc<Directory> {
    let mut directory = Directory::default();
    for company in companies {
        directory.add_tenant(company.id(), company.tenant.key, &company.tenant.domain);
        directory.set_status(company.id(), company.tenant.status);
        directory.follow_routing(company.id(), None, Some(&company.routing));
        for trunk in &company.trunks {
            directory.trunks.insert(trunk.id, Arc::new(trunk.clone()));
        }
        for extension in &company.extensions {
            let Some(phone) = &extension.phone else { continue };
            let ha1s = Ha1s::of(phone.login.as_str(), REALM, phone.password.expose());
            let is_blocked = [company.tenant.status, extension.status].contains(&Status::Blocked);
            let credential = Credential {
                tenant: company.id(),
                extension: extension.id,
                ha1_md5: ha1s.md5,
                ha1_sha256: ha1s.sha256,
                status: if is_blocked { Status::Blocked } else { Status::Active },
            };
            directory.logins.insert(phone.login.clone(), credential);
        }
    }
    Arc::new(directory)
}

/// The file of a sound.
pub fn file_of(sound: u64) -> FileId {
    FileId(u128::from(sound))
}

/// Digest user of a phone.
pub fn login(company: u64, name: &str) -> String {
    format!("c{company}-{name}")
}

/// Its password.
pub fn password(company: u64, name: &str) -> String {
    format!("secret-{company}-{name}")
}

fn id_of(company: u64, name: &str) -> ExtensionId {
    ExtensionId(100_000 + company * 10_000 + name.parse::<u64>().unwrap_or(0))
}

fn key(number: u64) -> TenantKey {
    let mut text = String::new();
    let _ = write!(text, "tenant{number:02}");
    TenantKey::parse(text.as_bytes()).expect("eight letters and digits")
}
