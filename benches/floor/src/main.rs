//! The floor: one thread that sends the same requests on protocol v2 and throws the answers away undecoded. What it
//! takes is the server's, the transport's and the machine's. It fills the tables too, and records frames.

mod reads;
mod socket;
mod tables;

use std::time::Instant;

use bench_harness::{Call, Client, Lookups, Options, Reached, Table};
use socket::{REDUCER_RESULT, Socket, call_message};
use tokio::runtime::{Builder, Runtime};

struct Floor {
    socket: Socket,
    runtime: Runtime,
}

impl Client for Floor {
    const NAME: &'static str = "floor";

    fn connect(options: &Options) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let socket = runtime.block_on(Socket::open(options));
        Self { socket, runtime }
    }

    fn subscribe(&mut self, table: Table) -> Reached {
        self.runtime.block_on(async {
            let frame = self.socket.subscribe(table.sql()).await;
            assert!(!frame.is_empty());
            Reached::now()
        })
    }

    fn call(&mut self, call: Call) -> Reached {
        self.runtime.block_on(async {
            self.socket.call(call).await;
            Reached::now()
        })
    }

    fn ping_in_turn(&mut self, n: u64, times: &mut Vec<f64>) {
        self.runtime.block_on(async {
            for id in 0..n {
                let start = Instant::now();
                self.socket.call(Call::Ping(id)).await;
                times.push(start.elapsed().as_secs_f64());
            }
        });
    }

    fn ping_in_flight(&mut self, n: u64, window: usize) -> Reached {
        self.runtime.block_on(async {
            let share = window as u64 / 8;
            let mut sent = 0;
            for answered in 0..n {
                if answered % share == 0 {
                    let until = n.min(answered + window as u64);
                    while sent < until {
                        self.socket.feed(call_message(sent as u32, Call::Ping(sent))).await;
                        sent += 1;
                    }
                    self.socket.flush().await;
                }
                self.socket.answer(REDUCER_RESULT).await;
            }
            Reached::now()
        })
    }

    fn on_entity_update(&mut self, _: impl FnMut(u64) + Send + 'static) {}

    fn on_tick(&mut self, _: impl FnMut(u64) + Send + 'static) {}

    fn count(&self, _: Table) -> Option<u64> {
        None
    }

    fn lookups(&self, rows: u64) -> Lookups<'_> {
        reads::lookups(rows)
    }
}

fn main() {
    if !tables::ran() {
        bench_harness::main::<Floor>();
    }
}
