//! One run: every kind of call at every number of connections, all ways in turns.

use std::time::Duration;

use tokio::time::sleep;

use crate::{
    Failure,
    harness::{Chain, Harness, Way},
    load::Callers,
    measured::{Measured, Share},
    table,
    work::Work,
};

/// Turns of each way: noise of the machine falls on all of them alike.
const TURNS: u32 = 4;
/// Calls before the measurement begins: pools fill, pages are touched.
const WARM_UP: Duration = Duration::from_millis(300);
/// How long a process may tidy up after its last call.
const REST: Duration = Duration::from_millis(20);

/// Runs the benchmark and prints its table.
pub(crate) async fn run(works: &[Work], connections: &[usize], time: Duration) -> Result<(), Failure> {
    let harness = Harness::open().await?;
    table::idle(&harness.measured())?;
    table::head();
    for &work in works {
        same_answers(&harness, work).await?;
        for &count in connections {
            table::lines(work, count, &measure(&harness, work, count, time).await?);
        }
    }
    table::foot();
    Ok(())
}

/// Whoever answers less than the others would win without right.
async fn same_answers(harness: &Harness, work: Work) -> Result<(), Failure> {
    let mut first = None;
    for way in Way::ALL {
        let answer = Callers::connect(harness.chain(work, way).entrance(), work, 1).await?.once().await?;
        if *first.get_or_insert_with(|| answer.clone()) != answer {
            return Err(format!("{work}: {way:?} answers something else than {:?}", Way::ALL[0]).into());
        }
    }
    Ok(())
}

async fn measure(harness: &Harness, work: Work, count: usize, time: Duration) -> Result<Vec<Measured>, Failure> {
    let mut ways = Vec::new();
    for way in Way::ALL {
        let chain = harness.chain(work, way);
        let mut callers = Callers::connect(chain.entrance(), work, count).await?;
        callers.call_for(WARM_UP).await?;
        let hop = chain.hop.map(|_| Share::default());
        let measured = Measured { way, latencies: Vec::new(), hop, service: Share::default() };
        ways.push((chain, callers, measured));
    }
    for _ in 0..TURNS {
        for (chain, callers, measured) in &mut ways {
            turn(*chain, callers, measured, time / TURNS).await?;
        }
    }
    let mut all: Vec<Measured> = ways.into_iter().map(|(_, _, measured)| measured).collect();
    all.iter_mut().for_each(|measured| measured.latencies.sort_unstable());
    Ok(all)
}

async fn turn(chain: Chain<'_>, callers: &mut Callers, measured: &mut Measured, time: Duration) -> Result<(), Failure> {
    let before = used(chain)?;
    measured.latencies.extend(callers.call_for(time).await?);
    sleep(REST).await;
    let after = used(chain)?;
    measured.service.cpu += after.0.saturating_sub(before.0);
    measured.service.resident_mib = chain.service.resident()?;
    if let (Some(hop), Some(process)) = (&mut measured.hop, chain.hop) {
        hop.cpu += after.1.saturating_sub(before.1);
        hop.resident_mib = process.resident()?;
    }
    Ok(())
}

fn used(chain: Chain<'_>) -> Result<(Duration, Duration), Failure> {
    let hop = chain.hop.map_or(Ok(Duration::ZERO), |hop| hop.cpu())?;
    Ok((chain.service.cpu()?, hop))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_one_call() {
        let latencies = (1..=100).map(Duration::from_millis).collect();
        let share = |millis| Share { cpu: Duration::from_millis(millis), resident_mib: 1.0 };
        let measured = Measured { way: Way::Gateway, latencies, hop: Some(share(10)), service: share(20) };
        assert_eq!((measured.per_call(measured.service), measured.together()), (200.0, 300.0));
        assert_eq!(measured.quantile(0.99), Duration::from_millis(99));
        assert_eq!(measured.quantile(1.0), Duration::from_millis(100));
    }
}
