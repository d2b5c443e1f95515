//! `deploy/site`: its README, typed by somebody who has the programs, stand-in suppliers and, if it is installed, Consul.

use std::{
    fmt::Write,
    fs,
    net::{SocketAddr, TcpListener},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use ispbridge_parts::{CONSUL, CURL, OPENSSL};
use ispbridge_sandbox as sandbox;
use serde_json::Value;
use tempfile::TempDir;

const SITE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../site");
const PROVIDERS: [&str; 3] = ["aex", "freeside", "azotel"];

/// What one process listens on here.
#[derive(Clone, Copy)]
struct Ports {
    grpc: u16,
    admin: u16,
}

/// A folder with the files of the site, and one with its programs.
struct Stage {
    folder: TempDir,
    gateway: Ports,
    services: [Ports; 3],
    agent: Option<Agent>,
}

/// Consul's agent, which keeps nothing when it ends.
struct Agent {
    child: Child,
    port: u16,
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Agent {
    /// Starts one; without it the routes have instances, as step 8 of the README says.
    fn start() -> Option<Self> {
        let mut consul = CONSUL.command()?;
        let [port, server, lan, wan] = free_ports();
        let child = consul
            .args(["agent", "-dev", "-bind", "127.0.0.1", "-log-level", "err", "-dns-port", "-1"])
            .args(["-hcl", "ports { grpc = -1 }"])
            .args(["-http-port".to_owned(), port.to_string(), "-server-port".to_owned(), server.to_string()])
            .args(["-serf-lan-port".to_owned(), lan.to_string(), "-serf-wan-port".to_owned(), wan.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Some(Self { child, port })
    }
}

/// Ports that are free now.
pub(crate) fn free_ports<const N: usize>() -> [u16; N] {
    let sockets = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    sockets.map(|socket| socket.local_addr().unwrap().port())
}

impl Stage {
    fn open(upstreams: &sandbox::Sandbox) -> Self {
        let ports: [u16; 8] = free_ports();
        let [gateway, aex, freeside, azotel] = [0, 2, 4, 6].map(|at| Ports { grpc: ports[at], admin: ports[at + 1] });
        let (folder, agent) = (tempfile::tempdir().unwrap(), Agent::start());
        let stage = Self { folder, gateway, services: [aex, freeside, azotel], agent };
        stage.copy();
        program(stage.folder.path(), "ispbridge", "");
        program(stage.folder.path(), "ispbridge-gateway", &stage.variables(gateway));
        let accounts = [
            account(&[("BASE_URL", &format!("http://{}", upstreams.address("aex")))]),
            account(&[
                ("BASE_URL", &freeside_url(upstreams.address("freeside"))),
                ("USERNAME", sandbox::StandIn::of("freeside").value("username")),
            ]),
            account(&[
                ("BASE_URL", &azotel_url(upstreams.address("azotel"))),
                ("USERNAME", sandbox::StandIn::of("azotel").value("username")),
            ]),
        ];
        for ((provider, ports), account) in PROVIDERS.iter().zip(stage.services).zip(accounts) {
            program(stage.folder.path(), &format!("ispbridge-{provider}"), &(stage.variables(ports) + &account));
        }
        stage
    }

    fn site(&self) -> PathBuf {
        self.folder.path().join("site")
    }

    /// Copies what the repository has of the site; without Consul its part is taken out.
    fn copy(&self) {
        fs::create_dir_all(self.site()).unwrap();
        let names = ["make-secrets.sh", "gateway.toml", "aex.toml", "freeside.toml", "azotel.toml"];
        for name in names {
            fs::copy(Path::new(SITE).join(name), self.site().join(name)).unwrap();
        }
        if self.agent.is_some() {
            return;
        }
        for name in &names[1..] {
            let text = fs::read_to_string(self.site().join(name)).unwrap();
            fs::write(self.site().join(name), self.without_consul(&text)).unwrap();
        }
    }

    fn without_consul(&self, text: &str) -> String {
        let mut text = text.replace("[consul]\naddress = \"http://127.0.0.1:8500\"\n", "");
        for (provider, ports) in PROVIDERS.iter().zip(self.services) {
            let found = format!("provider = \"{provider}\"\nconsul = true\ntls = true\n");
            let listed = format!("provider = \"{provider}\"\ninstances = [\"https://127.0.0.1:{}\"]\n", ports.grpc);
            text = text.replace(&found, &listed);
        }
        assert!(!text.contains("consul = true"), "{text}");
        text
    }

    /// Variables that give a process addresses of its own.
    fn variables(&self, ports: Ports) -> String {
        let mut text = format!(
            "export ISPBRIDGE__SERVER__LISTEN=127.0.0.1:{} ISPBRIDGE__ADMIN__LISTEN=127.0.0.1:{} \
             ISPBRIDGE__SERVER__ANNOUNCE_SECONDS=0 ISPBRIDGE__SERVER__RELOAD_SECONDS=1\n",
            ports.grpc, ports.admin
        );
        if let Some(agent) = &self.agent {
            let _ = writeln!(text, "export ISPBRIDGE__CONSUL__ADDRESS=http://127.0.0.1:{}", agent.port);
        }
        text
    }

    /// Types the steps in one shell and returns what each block of them printed.
    fn typed(&self, blocks: &[String]) -> Vec<String> {
        let mut script = "trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT\n".to_owned();
        for block in blocks {
            let block = block.replace(":50051", &format!(":{}", self.gateway.grpc));
            let _ = write!(script, "echo '=== block'\n{}", block.replace(":9901", &format!(":{}", self.gateway.admin)));
        }
        let path = format!("{}:/usr/bin:/bin:/usr/local/bin", self.folder.path().join("bin").display());
        let mut command = Command::new("timeout");
        command.args(["240", "bash", "-eu", "-o", "pipefail", "-c", &script]).env_clear().env("PATH", path);
        command
            .env("AEX_TOKEN", sandbox::StandIn::of("aex").value("token"))
            .env("FREESIDE_PASSWORD", sandbox::StandIn::of("freeside").value("password"));
        command.env("AZOTEL_PASSWORD", sandbox::StandIn::of("azotel").value("password")).current_dir(self.site());
        let Output { status, stdout, stderr } = command.stdin(Stdio::null()).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let (said, error) = (text(stdout), text(stderr));
        let logs = ["gateway", "aex", "freeside", "azotel"].map(|name| self.read(&format!("state/{name}.log")));
        assert!(status.success(), "{said}\n{error}\n{}", logs.join("\n"));
        fs::write(self.folder.path().join("stderr"), error).unwrap();
        said.split("=== block\n").skip(1).map(str::to_owned).collect()
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.site().join(name)).unwrap_or_default()
    }
}

/// Puts a program into `bin` of a folder, where a shell finds it: the one that is all of them by its name.
pub(crate) fn program(folder: &Path, name: &str, variables: &str) {
    let (bin, binary) = (folder.join("bin"), env!("CARGO_BIN_EXE_ispbridge"));
    fs::create_dir_all(&bin).unwrap();
    let file = bin.join(name);
    fs::write(&file, format!("#!/bin/bash\n{variables}exec -a {name} {binary} \"$@\"\n")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Variables of an account whose supplier is on this machine.
fn account(values: &[(&str, &str)]) -> String {
    let mut text = "export ISPBRIDGE__ACCOUNTS__MAIN__TRANSPORT__ALLOW_PRIVATE=true\n".to_owned();
    for (name, value) in values {
        let _ = writeln!(text, "export ISPBRIDGE__ACCOUNTS__MAIN__{name}={value}");
    }
    text
}

fn freeside_url(upstream: SocketAddr) -> String {
    format!("http://{upstream}/selfservice/xmlrpc.cgi")
}

fn azotel_url(upstream: SocketAddr) -> String {
    format!("http://{upstream}/API/operatorapi.pl")
}

/// The blocks of the README that are typed, with the number of their step; those marked `sh host` change the machine.
fn blocks() -> Vec<(usize, String)> {
    let readme = fs::read_to_string(Path::new(SITE).join("README.md")).unwrap();
    let (mut found, mut step, mut open): (Vec<(usize, String)>, usize, bool) = (Vec::new(), 0, false);
    for line in readme.lines() {
        match line {
            "```sh" => {
                open = true;
                found.push((step, String::new()));
            }
            "```" => open = false,
            line if open => found.last_mut().unwrap().1 += &format!("{line}\n"),
            line => {
                let number = line.strip_prefix("## ").and_then(|title| title.split('.').next()?.parse().ok());
                step = number.unwrap_or(step);
            }
        }
    }
    found
}

/// What the document promises of the audit log and of who asks a service directly, as commands.
fn probes(stage: &Stage) -> String {
    let aex = format!(
        "https://localhost:{} --ca secrets/ca.pem --server-name aex.ispbridge.internal",
        stage.services[0].grpc
    );
    format!(
        "ispbridge call ispbridge.aex.v1.CustomerService/CreateCustomer '{{\"customer\":{{\"firstName\":\"Thandi\",\
         \"lastName\":\"Example\",\"email\":\"thandi@example.com\",\"password\":\"s33kret\",\
         \"mobileNumber\":\"1234567890\"}}}}' -H 'x-request-id: order-7'\n\
         env -u ISPBRIDGE_API_KEY ispbridge list --address {aex} 2>/dev/null || echo \"without a certificate $?\"\n\
         env -u ISPBRIDGE_API_KEY ispbridge call ispbridge.aex.v1.CustomerService/GetCustomer --address {aex} \
         --cert secrets/gateway.pem --key secrets/gateway.key 2>/dev/null || echo \"without a signature $?\"\n"
    )
}

fn audited(stage: &Stage, file: &str) -> Value {
    let log = stage.read(file);
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.into_iter().find(|line| line["request_id"] == "order-7").unwrap_or_else(|| panic!("{file}: {log}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_site_comes_up_as_its_readme_says() {
    if !CURL.is_here() || !OPENSSL.is_here() {
        return;
    }
    let upstreams = sandbox::Sandbox::start(sandbox::Config::default()).await.unwrap();
    let stage = Stage::open(&upstreams);
    let blocks = blocks();
    assert_eq!(blocks.iter().map(|(step, _)| *step).collect::<Vec<_>>(), [2, 3, 4, 5, 6, 6, 7]);
    let mut typed: Vec<String> = blocks.into_iter().map(|(_, text)| text).collect();
    typed.insert(6, probes(&stage));
    let stage = tokio::task::spawn_blocking(move || {
        let printed = stage.typed(&typed);
        (stage, printed)
    });
    let (stage, printed) = stage.await.unwrap();
    let [_, _, right, ready, first_key, called, probed, revoked] = &printed[..] else { panic!("{printed:?}") };
    assert_eq!(right.matches("the configuration is right").count(), 4, "{right}");
    assert_eq!(right.matches(": account main: ").count(), 3, "{right}");
    assert!(!ready.is_empty() && first_key.starts_with("crm may call "), "{ready} {first_key}");
    for part in ["ispbridge.aex.v1.CustomerService\n", "\"customers\"", "agentName"] {
        assert!(called.contains(part), "{part}: {called}");
    }
    assert!(probed.contains("without a certificate 78\nwithout a signature 80\n"), "{probed}");
    assert!(revoked.starts_with("1 revoked\n") && revoked.ends_with("ended with 80\n"), "{revoked}");
    let document: Value = serde_json::from_str(&stage.read("state/openapi.json")).unwrap();
    assert!(document["paths"].as_object().unwrap().len() > 100);
    let (gateway, service) = (audited(&stage, "state/gateway.audit.jsonl"), audited(&stage, "state/aex.audit.jsonl"));
    assert_eq!((&gateway["principal"], &service["principal"]), (&"crm".into(), &"crm".into()));
    let told = fs::read_to_string(stage.folder.path().join("stderr")).unwrap();
    assert!(told.contains("x-ispbridge-timing") && told.contains("taken by the gateway"), "{told}");
    let mode = fs::metadata(stage.site().join("secrets/crm.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    upstreams.stop().await;
}
