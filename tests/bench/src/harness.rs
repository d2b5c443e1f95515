//! All processes of one run, and the ways that a call can take through them.

use std::{
    ffi::OsString,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
};

use tempfile::TempDir;
use toml::Table;

use crate::{
    Failure,
    process::{Process, Ready},
    wiring::{Callers, Wiring},
    work::Work,
};

/// A way that a call can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// To the hand-written service.
    Yardstick,
    /// To our service.
    Service,
    /// To our service through the bare pass-through.
    PassThrough,
    /// To our service through our gateway.
    Gateway,
}

/// The processes on one way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chain<'a> {
    /// What stands before the service.
    pub(crate) hop: Option<&'a Process>,
    /// The service.
    pub(crate) service: &'a Process,
}

/// The running processes; they end with this value.
pub(crate) struct Harness {
    yardstick: Process,
    azotel: Provider,
    aex: Provider,
    gateway: Process,
    _stand_ins: [Process; 2],
    _folder: TempDir,
}

/// One provider's processes.
struct Provider {
    /// Called without a gateway.
    open: Process,
    /// Called by the gateway only.
    guarded: Process,
    /// The bare pass-through before the open one.
    pass_through: Process,
}

/// Where the programs are, and free ports for them.
struct Yard {
    folder: PathBuf,
    ports: Vec<SocketAddr>,
}

impl Way {
    /// All of them, what is compared after what it is compared with.
    pub(crate) const ALL: [Way; 4] = [Way::Yardstick, Way::Service, Way::PassThrough, Way::Gateway];
}

impl Chain<'_> {
    /// Where a call goes in.
    pub(crate) fn entrance(&self) -> SocketAddr {
        self.hop.unwrap_or(self.service).address
    }
}

impl Harness {
    /// Starts everything.
    pub(crate) async fn open() -> Result<Self, Failure> {
        let mut yard = Yard::find()?;
        let folder = tempfile::Builder::new().prefix("ispbridge-bench-").tempdir()?;
        let upstream = yard.role("upstream", &[]).await?;
        let collector = yard.role("collector", &[]).await?;
        let yardstick = yard.role("yardstick", &[upstream.address, collector.address]).await?;
        let (upstream_at, more) = (upstream.address, Table::new());
        let wiring = Wiring { folder: folder.path().into(), upstream: upstream_at, collector: collector.address, more };
        let azotel = Provider::start(&mut yard, "azotel", |at, callers| wiring.provider("azotel", at, callers)).await?;
        let aex = Provider::start(&mut yard, "aex", |at, callers| wiring.provider("aex", at, callers)).await?;
        let services = [("azotel", azotel.guarded.address), ("aex", aex.guarded.address)];
        let address = yard.port()?;
        let config = wiring.gateway(address, &services)?;
        let knows = Ready::Serves("ispbridge.azotel.v1.CustomerService");
        let gateway = yard.program("gateway", address, &config, knows).await?;
        Ok(Self { yardstick, azotel, aex, gateway, _stand_ins: [upstream, collector], _folder: folder })
    }

    /// The processes that calls of one kind pass on one way.
    pub(crate) fn chain(&self, work: Work, way: Way) -> Chain<'_> {
        let provider = if work == Work::Read { &self.aex } else { &self.azotel };
        match way {
            Way::Yardstick => Chain { hop: None, service: &self.yardstick },
            Way::Service => Chain { hop: None, service: &provider.open },
            Way::PassThrough => Chain { hop: Some(&provider.pass_through), service: &provider.open },
            Way::Gateway => Chain { hop: Some(&self.gateway), service: &provider.guarded },
        }
    }

    /// The processes that are ours or stand for them.
    pub(crate) fn measured(&self) -> [&Process; 5] {
        [&self.yardstick, &self.azotel.guarded, &self.aex.guarded, &self.azotel.pass_through, &self.gateway]
    }
}

impl Provider {
    async fn start(
        yard: &mut Yard,
        provider: &str,
        config: impl Fn(SocketAddr, Callers) -> Result<PathBuf, Failure>,
    ) -> Result<Self, Failure> {
        let (open, guarded) = (yard.port()?, yard.port()?);
        let open = yard.program(provider, open, &config(open, Callers::Open)?, Ready::Serves("")).await?;
        let guarded = yard.program(provider, guarded, &config(guarded, Callers::Gateway)?, Ready::Serves("")).await?;
        let pass_through = yard.role("pass-through", &[open.address]).await?;
        Ok(Self { open, guarded, pass_through })
    }
}

/// Stand-ins and a place for configurations, for what is started one after another.
pub(crate) struct Ground {
    yard: Yard,
    upstream: Process,
    collector: Process,
    folder: TempDir,
}

impl Ground {
    pub(crate) async fn open() -> Result<Self, Failure> {
        let mut yard = Yard::find()?;
        let folder = tempfile::Builder::new().prefix("ispbridge-bench-").tempdir()?;
        let (upstream, collector) = (yard.role("upstream", &[]).await?, yard.role("collector", &[]).await?);
        Ok(Self { yard, upstream, collector, folder })
    }

    /// Writes configurations of services with this upstream.
    pub(crate) fn wiring(&self, upstream: SocketAddr) -> Wiring<'static> {
        let (folder, collector) = (self.folder.path().to_owned().into(), self.collector.address);
        Wiring { folder, upstream, collector, more: Table::new() }
    }

    pub(crate) fn port(&mut self) -> Result<SocketAddr, Failure> {
        self.yard.port()
    }

    /// Starts one of the suite's programs.
    pub(crate) async fn program(
        &self,
        name: &str,
        address: SocketAddr,
        config: &Path,
        ready: Ready<'_>,
    ) -> Result<Process, Failure> {
        self.yard.program(name, address, config, ready).await
    }

    /// Starts the gateway before these services.
    pub(crate) async fn gateway(&mut self, services: &[(&str, SocketAddr)]) -> Result<Process, Failure> {
        let address = self.yard.port()?;
        let config = self.wiring(self.upstream.address).gateway(address, services)?;
        self.yard.program("gateway", address, &config, Ready::Serves("ispbridge.azotel.v1.CustomerService")).await
    }

    /// Starts the AEx service with variables and so many descriptors.
    pub(crate) async fn attacked(
        &mut self,
        variables: &[(&str, String)],
        descriptors: u32,
    ) -> Result<Process, Failure> {
        let address = self.yard.port()?;
        let config = self.wiring(self.upstream.address).provider("aex", address, Callers::Open)?;
        let run = format!("ulimit -n {descriptors} && exec env \"$@\"");
        let mut arguments: Vec<OsString> = ["-c".into(), run.into(), "attacked".into()].into();
        arguments.extend(variables.iter().map(|(name, value)| OsString::from(format!("{name}={value}"))));
        arguments.extend([self.yard.folder.join("ispbridge-aex").into(), "--config".into(), config.into()]);
        Process::start("ispbridge-aex", Path::new("sh"), arguments, address, Ready::Serves("")).await
    }
}

impl Yard {
    /// Looks beside the benchmark itself, and takes ports that are free now.
    fn find() -> Result<Self, Failure> {
        let own = std::env::current_exe()?;
        let folder = own.parent().map(Path::to_owned).ok_or("the benchmark stands in no folder")?;
        // All are open at once, so that none comes twice.
        let sockets: Vec<TcpListener> =
            (0..16).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).collect::<Result<_, _>>()?;
        let ports = sockets.iter().map(TcpListener::local_addr).collect::<Result<_, _>>()?;
        Ok(Self { folder, ports })
    }

    fn port(&mut self) -> Result<SocketAddr, Failure> {
        self.ports.pop().ok_or_else(|| "too few ports".into())
    }

    /// Starts one of the suite's programs.
    async fn program(
        &self,
        name: &str,
        address: SocketAddr,
        config: &Path,
        ready: Ready<'_>,
    ) -> Result<Process, Failure> {
        let name = format!("ispbridge-{name}");
        let arguments = ["--config".into(), config.as_os_str().to_owned()];
        Process::start(&name, &self.folder.join(&name), arguments, address, ready).await
    }

    /// Starts the benchmark itself in another role.
    async fn role(&mut self, role: &str, peers: &[SocketAddr]) -> Result<Process, Failure> {
        let address = self.port()?;
        let addresses = std::iter::once(&address).chain(peers).map(|address| OsString::from(address.to_string()));
        let arguments = std::iter::once(OsString::from(role)).chain(addresses);
        Process::start(role, &std::env::current_exe()?, arguments, address, Ready::Connects).await
    }
}
