//! A real Chromium without a screen, by chromedriver. It reaches this machine only, and tells of
//! every page what went wrong in it.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use thirtyfour::TypingData;
use thirtyfour::extensions::cdp::ChromeDevTools;
use thirtyfour::prelude::*;

use crate::patience::Patience;
use crate::process::Program;

/// Runs before anything of a page: notes what the page logs as an error, throws, or is refused.
const RECORDER: &str = r#"
    window.troubles = [];
    for (const level of ["error", "warn"]) {
      const log = console[level];
      console[level] = (...words) => { window.troubles.push(words.join(" ")); log(...words); };
    }
    addEventListener("error", (event) => window.troubles.push(event.message ?? "an error"), true);
    addEventListener("unhandledrejection", (event) => window.troubles.push(`${event.reason}`));
    addEventListener("securitypolicyviolation", (event) =>
      window.troubles.push(`refused: ${event.violatedDirective} ${event.blockedURI}`));
"#;

/// What axe finds that keeps people out, with where.
const FAULTS: &str = r#"
    const done = arguments[arguments.length - 1];
    const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
    axe.run(document, { runOnly: tags }).then(
      ({ violations }) => done(violations.map((one) =>
        [one.impact, one.id, ...one.nodes.map((node) => node.html)].join(" "))),
      (error) => done([`${error}`]));
"#;

/// The bytes of a page and of all that it loads, as if nothing of it were kept from before.
const TRANSFERRED: &str = r#"
    const parts = ["navigation", "resource"].flatMap((one) => performance.getEntriesByType(one));
    return parts.reduce((sum, one) => sum + one.encodedBodySize + 300, 0);
"#;

/// The focus gets everywhere within so many steps.
const TABS_MAX: usize = 80;

pub struct Chrome {
    /// With its browsers.
    _program: Program,
    pub driver: WebDriver,
    axe: String,
    root: String,
}

/// Where npm put axe-core: a folder of `NODE_PATH`.
fn axe_core() -> Option<PathBuf> {
    let folders = std::env::var_os("NODE_PATH")?;
    let scripts = std::env::split_paths(&folders).map(|at| at.join("axe-core/axe.min.js"));
    scripts.into_iter().find(|path| path.exists())
}

impl Chrome {
    /// For the pages of a service.
    pub async fn start(root: &str) -> Chrome {
        let axe = axe_core().expect("axe-core is in a folder of NODE_PATH");
        let mut command = Command::new("chromedriver");
        command.arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null());
        let mut program = Program::start(&mut command);
        let port = program.lines().find(|line| {
            let (_, rest) = line.split_once("started successfully on port ")?;
            Some(rest.trim_end_matches('.').to_owned())
        });
        let mut wanted = DesiredCapabilities::chrome();
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--disable-gpu",
            "--lang=en",
            "--force-color-profile=srgb",
            "--hide-scrollbars",
            // No name has an address.
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        ];
        for argument in arguments {
            wanted.add_arg(argument).expect("a good argument");
        }
        wanted.set_binary("/usr/bin/chromium").expect("a path");
        let address = format!("http://127.0.0.1:{port}");
        let driver = WebDriver::new(&address, wanted).await.expect("chromium starts");
        driver.set_script_timeout(Duration::from_secs(60)).await.expect("it can wait");
        let axe = std::fs::read_to_string(axe).expect("it can be read");
        let chrome = Chrome { _program: program, driver, axe, root: root.to_owned() };
        let recorder = json!({ "source": RECORDER });
        chrome.tell("Page.addScriptToEvaluateOnNewDocument", recorder).await;
        chrome
    }

    /// Chromium does what the tools of its developers can.
    pub async fn tell(&self, command: &str, parameters: Value) {
        let tools = ChromeDevTools::new(self.driver.handle.clone());
        tools.execute_cdp_with_params(command, parameters).await.expect("chromium does it");
    }

    /// Light or dark, as the system would say.
    pub async fn prefer(&self, scheme: &str) {
        let feature = json!({ "name": "prefers-color-scheme", "value": scheme });
        self.tell("Emulation.setEmulatedMedia", json!({ "features": [feature] })).await;
    }

    /// A screen of that size.
    pub async fn resize(&self, width: u32, height: u32) {
        let screen = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600,
        });
        self.tell("Emulation.setDeviceMetricsOverride", screen).await;
    }

    pub async fn open(&self, path: &str) {
        self.driver.goto(format!("{}{path}", self.root)).await.expect("the page opens");
    }

    /// Opens a page in which nothing may be wrong.
    pub async fn visit(&self, path: &str) {
        self.open(path).await;
        self.check(path).await;
    }

    /// No trouble, nothing from elsewhere, nothing that keeps people out, nothing beyond the side.
    pub async fn check(&self, path: &str) {
        let troubles = self.ask("return window.troubles").await;
        assert_eq!(troubles, json!([]), "{path}");
        let loaded = "return performance.getEntriesByType('resource').map((one) => one.name)";
        for url in self.ask(loaded).await.as_array().expect("a list") {
            let url = url.as_str().expect("a text");
            assert!(url.starts_with(&self.root), "{path} loads {url}");
        }
        let transferred = self.ask(TRANSFERRED).await.as_u64().expect("a number");
        assert!(transferred < 100_000, "{path} takes {transferred} bytes");
        self.driver.execute(self.axe.as_str(), vec![]).await.expect("axe is there");
        let faults = self.driver.execute_async(FAULTS, vec![]).await.expect("axe runs");
        assert_eq!(faults.json(), &json!([]), "{path}");
        let here = self.texts(".ways [aria-current]").await;
        assert!(here.len() <= 1, "{path} is said to be at {here:?}");
        let wide = "return document.documentElement.scrollWidth - innerWidth";
        assert!(self.ask(wide).await.as_i64().expect("a number") <= 0, "{path} is too wide");
    }

    pub async fn ask(&self, script: &str) -> Value {
        let answer = self.driver.execute(script, vec![]).await.expect("the script runs");
        answer.json().clone()
    }

    /// The text of what a selector finds first.
    pub async fn text(&self, selector: &str) -> String {
        // In one step, since what is live may be replaced between two.
        let text =
            self.ask(&format!("return document.querySelector({selector:?})?.innerText")).await;
        text.as_str().unwrap_or_else(|| panic!("there is no {selector}")).trim().to_owned()
    }

    pub async fn find(&self, selector: &str) -> WebElement {
        let found = self.driver.find(By::Css(selector)).await;
        found.unwrap_or_else(|error| panic!("{selector}: {error}"))
    }

    /// Clicks on what leads to another page, and waits until that is there.
    pub async fn follow(&self, selector: &str) {
        self.ask("window.isOld = true").await;
        self.click(selector).await;
        self.until_new().await;
    }

    /// The same by the keyboard: in a form, Enter sends it.
    pub async fn enter(&self, selector: &str) {
        self.ask("window.isOld = true").await;
        self.fill(selector, Key::Enter).await;
        self.until_new().await;
    }

    /// Moves the focus by the Tab key alone until it is there.
    pub async fn tab_to(&self, selector: &str) -> WebElement {
        let is_there = format!("return document.activeElement.matches({selector:?})");
        for _ in 0..TABS_MAX {
            let focused = self.driver.active_element().await.expect("something has the focus");
            if self.ask(&is_there).await == true {
                return focused;
            }
            focused.send_keys(Key::Tab + "").await.expect("it takes keys");
        }
        panic!("the focus does not get to {selector}");
    }

    /// By the keyboard alone, presses what leads to another page.
    pub async fn press(&self, selector: &str) {
        let focused = self.tab_to(selector).await;
        self.ask("window.isOld = true").await;
        focused.send_keys(Key::Enter + "").await.expect("it takes keys");
        self.until_new().await;
    }

    /// The time zone that the system would say.
    pub async fn live_in(&self, zone: &str) {
        self.tell("Emulation.setTimezoneOverride", json!({ "timezoneId": zone })).await;
    }

    /// Pages run no script from now on.
    pub async fn without_scripts(&self) {
        self.tell("Emulation.setScriptExecutionDisabled", json!({ "value": true })).await;
    }

    async fn until_new(&self) {
        let is_there = "return !window.isOld && document.readyState === 'complete'";
        let patience = Patience::until("the next page is there");
        while self.ask(is_there).await != true {
            patience.again().await;
        }
    }

    pub async fn click(&self, selector: &str) {
        let element = self.find(selector).await;
        element.scroll_into_view().await.expect("it can be seen");
        element.click().await.expect("it can be clicked");
    }

    pub async fn fill(&self, selector: &str, text: impl Into<TypingData>) {
        self.find(selector).await.send_keys(text).await.expect("it takes text");
    }

    /// All texts of what a selector finds, also of what is folded away.
    pub async fn texts(&self, selector: &str) -> Vec<String> {
        let script = format!(
            "return [...document.querySelectorAll({selector:?})].map((one) => one.textContent)"
        );
        let texts = self.ask(&script).await;
        let texts = texts.as_array().expect("a list").iter();
        texts.map(|text| text.as_str().expect("a text").trim().to_owned()).collect()
    }

    /// Signs in with a link that `footfall user` printed.
    pub async fn sign_in(&self, link: &str) {
        self.driver.delete_all_cookies().await.expect("they go");
        self.open(link).await;
        self.follow("main button").await;
        let now = self.driver.current_url().await.expect("it has one");
        assert_eq!(now.path(), "/", "it is signed in");
    }

    /// Keeps a picture in the documentation, when asked to.
    pub async fn keep_picture(&self, name: &str) {
        if std::env::var_os("SCREENSHOTS").is_none() {
            return;
        }
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/screenshots");
        std::fs::create_dir_all(&folder).expect("it can be made");
        let picture = self.driver.screenshot_as_png().await.expect("a picture");
        std::fs::write(folder.join(format!("{name}.png")), picture).expect("it is written");
    }

    pub async fn end(self) {
        self.driver.clone().quit().await.expect("it ends");
    }
}
