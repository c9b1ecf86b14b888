// systole_axi_read: what it asks for, the order of what it hands out, errors, abort,
// speed.
#include "Vread4.h"
#include "Vread64.h"
#include "axi_bus.h"

using namespace systole;

namespace {

// The module between a hostile memory and a hostile client.
template <class Top, unsigned kBytes, unsigned kOutstanding>
class Fixture {
 public:
  explicit Fixture(uint64_t seed)
      : bench(seed), random(seed), slave(ReadPinsOf(bench.top()), kBytes, &random) {
    bench->abort_i = 0;
    bench->req_valid_i = 0;
    bench->req_addr_i = 0;
    bench->req_beats_i = 1;
    bench->data_ready_i = 0;
    bench.Reset();
  }

  void Randomize() {
    slave.ar_percent = random.Willingness();
    slave.r_percent = random.Willingness();
    slave.latency = random.Between(1, 40);
    req_percent = random.Willingness();
    data_percent = random.Willingness();
  }

  Burst AnyRequest() {
    static const unsigned kMost[] = {1, 3, 70, 700};
    const unsigned beats =
        static_cast<unsigned>(random.Between(1, kMost[random.Below(4)]));
    // Often just below a boundary, sometimes far up.
    const uint64_t page = random.Percent(20) ? random.Bits() >> 8 : random.Below(4);
    const uint64_t offset =
        random.Percent(50) ? kPage - kBytes * random.Between(1, 8) : random.Below(kPage);
    return {(page * kPage + offset) / kBytes * kBytes, beats};
  }

  // One cycle. `want`: requests may be offered from `requests`.
  void Cycle() {
    if (!bench->req_valid_i && !requests.empty() && random.Percent(req_percent)) {
      bench->req_valid_i = 1;
      bench->req_addr_i = requests.front().address;
      bench->req_beats_i = requests.front().beats;
    }
    bench->data_ready_i = random.Percent(data_percent);
    slave.Drive();
    bench.Settle();

    const bool beat = bench->r_valid_i && bench->r_ready_o;
    SYSTOLE_CHECK(bench->beat_o == beat, "beat_o is %d", bench->beat_o);
    SYSTOLE_CHECK(slave.in_flight() <= kOutstanding, "%zu bursts in flight",
                  slave.in_flight());
    if (promised > handed_out && !bench->abort_i) {
      SYSTOLE_CHECK(!bench->idle_o, "idle with %llu beats to come",
                    static_cast<unsigned long long>(promised - handed_out));
    }
    if (bench->error_o) {
      reports.push_back({bench->error_addr_o, bench->error_decode_o != 0});
    }
    if (bench->abort_i) {
      SYSTOLE_CHECK(!bench->data_valid_o, "a beat is handed out during an abort");
      SYSTOLE_CHECK(!bench->r_valid_i || bench->r_ready_o,
                    "an aborted beat is not taken");
      SYSTOLE_CHECK(!bench->ar_valid_o || ar_may_stay, "a new AR during an abort");
    }
    // One that rises with the abort was decided before it.
    ar_may_stay = (bench->ar_valid_o && !bench->ar_ready_i) || !bench->abort_i;
    if (bench->data_valid_o && bench->data_ready_i) {
      SYSTOLE_CHECK(!expected.empty(), "a beat that nobody asked for");
      for (unsigned i = 0; i < kBytes; i++) {
        const uint8_t found = reinterpret_cast<const uint8_t *>(&bench->data_o)[i];
        SYSTOLE_CHECK(found == Background(expected.front() + i),
                      "beat %llu, byte %u: wrong data",
                      static_cast<unsigned long long>(handed_out), i);
      }
      expected.pop_front();
      handed_out++;
    }
    const bool taken = bench->req_valid_i && bench->req_ready_o;
    if (taken) {
      if (!bench->abort_i) {
        for (const Burst &burst :
             Cut(requests.front().address, requests.front().beats, kBytes)) {
          bursts.push_back(burst);
        }
        for (unsigned i = 0; i < requests.front().beats; i++) {
          expected.push_back(requests.front().address + uint64_t{i} * kBytes);
        }
        promised += requests.front().beats;
      }
      requests.pop_front();
    }
    slave.Sample();
    bench.Edge();
    slave.Advance();
    if (taken) bench->req_valid_i = 0;
  }

  // Until everything asked for has been handed out and the module says it is idle.
  void Finish() {
    const uint64_t begin = bench.cycle();
    while (!requests.empty() || !expected.empty() || !bench->idle_o) {
      SYSTOLE_CHECK(bench.cycle() - begin < 200000, "it does not come to an end");
      Cycle();
    }
    Cycle();  // the report of the last beat's error comes one cycle later
    SYSTOLE_CHECK(bench->idle_o, "idle_o does not stay");
    SYSTOLE_CHECK(slave.in_flight() == 0, "idle with bursts in flight");
  }

  Bench<Top> bench;
  Random random;
  ReadSlave slave;
  int req_percent = 100, data_percent = 100;
  std::deque<Burst> requests;     // to be offered
  std::vector<Burst> bursts;      // that must appear on AR
  std::deque<uint64_t> expected;  // addresses of beats to be handed out
  std::vector<ErrorReport> reports;
  uint64_t promised = 0, handed_out = 0;
  bool ar_may_stay = true;
};

using Narrow = Fixture<Vread4, 4, 2>;
using Wide = Fixture<Vread64, 64, 8>;

template <class F>
void RandomTraffic(uint64_t seed) {
  F f(seed);
  f.Randomize();
  for (uint64_t i = f.random.Between(1, 12); i; i--) f.requests.push_back(f.AnyRequest());
  f.Finish();
  SYSTOLE_CHECK(f.slave.accepted == f.bursts, "the bursts are not those of the requests");
  SYSTOLE_CHECK(f.reports.empty(), "an error that nobody made");
  SYSTOLE_CHECK(f.slave.beats == f.promised, "%llu beats for %llu requested",
                static_cast<unsigned long long>(f.slave.beats),
                static_cast<unsigned long long>(f.promised));
}

template <class F>
void Errors(uint64_t seed) {
  F f(seed);
  f.Randomize();
  // About every 25th beat fails; EXOKAY is not an error.
  f.slave.response = [](uint64_t address) {
    const unsigned draw = Background(~address);
    return draw < 10 ? static_cast<Response>(1 + draw % 3) : kOkay;
  };
  for (uint64_t i = f.random.Between(1, 8); i; i--) f.requests.push_back(f.AnyRequest());
  f.Finish();
  SYSTOLE_CHECK(f.reports == f.slave.errors, "%zu error reports for %zu failed bursts",
                f.reports.size(), f.slave.errors.size());
}

template <class F>
void Abort(uint64_t seed) {
  F f(seed);
  f.Randomize();
  for (int round = 0; round < 4; round++) {
    for (uint64_t i = f.random.Between(1, 12); i; i--) {
      f.requests.push_back(f.AnyRequest());
    }
    for (uint64_t i = f.random.Below(300); i; i--) f.Cycle();
    f.bench->abort_i = 1;
    for (uint64_t i = f.random.Between(1, 5); i || !f.bench->idle_o; i -= i > 0) {
      SYSTOLE_CHECK(f.bench.cycle() < 100000, "an abort does not come to an end");
      f.Cycle();
    }
    SYSTOLE_CHECK(f.slave.in_flight() == 0, "idle with bursts in flight");
    f.bench->abort_i = 0;
    f.bench->req_valid_i = 0;
    f.requests.clear();
    f.expected.clear();
    f.promised = f.handed_out;
    // The next job gets its own data.
    f.requests.push_back(f.AnyRequest());
    f.Finish();
  }
}

// No stalls: after the first beat one a cycle, whatever the cuts.
template <class F>
void LongRequest(unsigned bytes, uint64_t latency) {
  F f(1);
  f.slave.latency = latency;
  const unsigned beats = 3000;
  f.requests.push_back({kPage - 5 * bytes, beats});
  while (f.handed_out == 0) f.Cycle();
  const uint64_t first = f.bench.cycle();
  cr_assert_leq(first, 3 + latency + 3, "the first beat took until cycle %d", (int)first);
  f.Finish();
  cr_assert_eq(f.slave.beats, beats);
  cr_assert_leq(f.bench.cycle() - first, beats - 1 + 3, "%d cycles for %u beats",
                (int)(f.bench.cycle() - first), beats);
}

}  // namespace

Test(axi_read, order_and_bursts_under_back_pressure_narrow) {
  ForSeeds(60, RandomTraffic<Narrow>);
}
Test(axi_read, order_and_bursts_under_back_pressure_wide) {
  ForSeeds(60, RandomTraffic<Wide>);
}
Test(axi_read, reports_each_failed_burst_once) {
  ForSeeds(40, Errors<Narrow>);
  ForSeeds(40, Errors<Wide>);
}
Test(axi_read, abort_at_any_moment_drains_and_forgets_narrow) {
  ForSeeds(60, Abort<Narrow>);
}
Test(axi_read, abort_at_any_moment_drains_and_forgets_wide) { ForSeeds(60, Abort<Wide>); }

Test(axi_read, a_beat_every_cycle_narrow) { LongRequest<Narrow>(4, 64); }
Test(axi_read, a_beat_every_cycle_wide) { LongRequest<Wide>(64, 64); }

Test(axi_read, an_address_every_cycle_for_requests_of_one_beat) {
  Wide f(1);
  for (uint64_t i = 0; i < 500; i++) f.requests.push_back({i * 640, 1});
  const uint64_t begin = f.bench.cycle();
  f.Finish();
  cr_assert_leq(f.bench.cycle() - begin, 500 + 8, "%d cycles for 500 requests",
                (int)(f.bench.cycle() - begin));
}
