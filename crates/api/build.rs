//! Takes the explorer's files out of the crate that carries them; nothing is downloaded.

use std::io::Cursor;
use std::path::Path;
use std::{env, fs, io};

use utoipa_swagger_ui_vendored::SWAGGER_UI_VENDORED;

const FILES: [&str; 3] = ["swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png"];

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let out = env::var_os("OUT_DIR").expect("cargo says where to write");
    let archive = zip::ZipArchive::new(Cursor::new(SWAGGER_UI_VENDORED));
    let mut archive = archive.expect("the crate carries a zip archive");
    for name in FILES {
        let end = format!("/dist/{name}");
        let path = archive.file_names().filter_map(Result::ok).find(|path| path.ends_with(&end));
        let path = path.map(|path| path.into_owned());
        let path = path.expect("the archive has the explorer's files");
        let mut packed = archive.by_name(&path).expect("it was found a moment ago");
        let mut file = fs::File::create(Path::new(&out).join(name)).expect("a file is made");
        io::copy(&mut packed, &mut file).expect("a file is written");
    }
}
