// systole_axi_write: what arrives in memory, burst rules, errors, abort, speed.
#include "Vwrite4.h"
#include "Vwrite64.h"
#include "axi_bus.h"

using namespace systole;

namespace {

template <class Top, unsigned kBytes, unsigned kOutstanding>
class Fixture {
 public:
  explicit Fixture(uint64_t seed)
      : bench(seed), random(seed), slave(WritePinsOf(bench.top()), kBytes, &random) {
    bench->abort_i = 0;
    bench->req_valid_i = 0;
    bench->req_addr_i = 0;
    bench->req_beats_i = 1;
    bench->data_valid_i = 0;
    bench->strb_i = 0;
    std::memset(&bench->data_i, 0, kBytes);
    bench.Reset();
  }

  void Randomize() {
    slave.aw_percent = random.Willingness();
    slave.w_percent = random.Willingness();
    slave.b_percent = random.Willingness();
    slave.latency = random.Between(1, 40);
    req_percent = random.Willingness();
    data_percent = random.Willingness();
  }

  // Requests never overlap, so that memory tells them apart.
  Burst AnyRequest() {
    static const unsigned kMost[] = {1, 3, 70, 700};
    const unsigned beats =
        static_cast<unsigned>(random.Between(1, kMost[random.Below(4)]));
    const uint64_t offset =
        random.Percent(50) ? kPage - kBytes * random.Between(1, 8) : random.Below(kPage);
    const Burst request = {(area_ + offset) / kBytes * kBytes, beats};
    area_ += 64 * kPage;
    return request;
  }

  void Cycle() {
    if (!bench->req_valid_i && !requests.empty() && random.Percent(req_percent)) {
      bench->req_valid_i = 1;
      bench->req_addr_i = requests.front().address;
      bench->req_beats_i = requests.front().beats;
    }
    if (!bench->data_valid_i && wanted > 0 && random.Percent(data_percent)) {
      bench->data_valid_i = 1;
      random.Fill(&bench->data_i, kBytes);
      strobe = full_strobes || random.Percent(70) ? ~0ull : random.Bits();
      if (!full_strobes && random.Percent(5)) strobe = 0;
      strobe &= ~0ull >> (64 - kBytes);
      bench->strb_i = strobe;
    }
    slave.Drive();
    bench.Settle();

    SYSTOLE_CHECK(slave.in_flight() <= kOutstanding, "%zu bursts in flight",
                  slave.in_flight());
    if (bench->idle_o) {
      SYSTOLE_CHECK(slave.in_flight() == 0, "idle before the last response");
      SYSTOLE_CHECK(bench->abort_i || places.empty(), "idle with data to come");
    }
    if (bench->error_o) {
      reports.push_back({bench->error_addr_o, bench->error_decode_o != 0});
    }
    if (bench->abort_i) {
      SYSTOLE_CHECK(!bench->data_ready_o, "a beat is taken during an abort");
      SYSTOLE_CHECK(!bench->aw_valid_o || aw_may_stay, "a new AW during an abort");
    }
    // One that rises with the abort was decided before it.
    aw_may_stay = (bench->aw_valid_o && !bench->aw_ready_i) || !bench->abort_i;
    SYSTOLE_CHECK(bench->response_o == response_before, "response_o is %d",
                  bench->response_o);
    response_before = bench->b_valid_i && bench->b_ready_o;
    burst_ends += bench->burst_end_o;
    const bool beat = bench->data_valid_i && bench->data_ready_o;
    SYSTOLE_CHECK(bench->beat_o == (beat && strobe), "beat_o is %d", bench->beat_o);
    if (beat) {
      SYSTOLE_CHECK(!places.empty(), "a beat is taken for a request that was not");
      for (unsigned i = 0; i < kBytes; i++) {
        if (strobe >> i & 1) {
          expected[places.front() + i] =
              reinterpret_cast<const uint8_t *>(&bench->data_i)[i];
        }
      }
      places.pop_front();
      const bool last = --ends.front() == 0;
      if (last) ends.pop_front();
      SYSTOLE_CHECK(bench->burst_end_o == last, "burst_end_o is %d", bench->burst_end_o);
      strobed_beats += strobe != 0;
      wanted--;
    }
    const bool taken = bench->req_valid_i && bench->req_ready_o;
    if (taken) {
      if (!bench->abort_i) {
        for (const Burst &burst :
             Cut(requests.front().address, requests.front().beats, kBytes)) {
          bursts.push_back(burst);
          ends.push_back(burst.beats);
        }
        for (unsigned i = 0; i < requests.front().beats; i++) {
          places.push_back(requests.front().address + uint64_t{i} * kBytes);
        }
      }
      requests.pop_front();
    }
    slave.Sample();
    bench.Edge();
    slave.Advance();
    if (taken) bench->req_valid_i = 0;
    if (beat) bench->data_valid_i = 0;
  }

  void Ask(const Burst &request) {
    requests.push_back(request);
    wanted += request.beats;
  }

  void Finish() {
    const uint64_t begin = bench.cycle();
    while (!requests.empty() || !places.empty() || !bench->idle_o) {
      SYSTOLE_CHECK(bench.cycle() - begin < 200000, "it does not come to an end");
      Cycle();
    }
    Cycle();  // the report of the last response's error comes one cycle later
    SYSTOLE_CHECK(bench->idle_o, "idle_o does not stay");
    SYSTOLE_CHECK(slave.memory == expected, "memory holds %zu bytes, %zu were written",
                  slave.memory.size(), expected.size());
    SYSTOLE_CHECK(slave.strobed_beats == strobed_beats, "beats with strobes");
    SYSTOLE_CHECK(burst_ends == slave.accepted.size(),
                  "%zu bursts, burst_end_o %llu times", slave.accepted.size(),
                  static_cast<unsigned long long>(burst_ends));
  }

  Bench<Top> bench;
  Random random;
  WriteSlave slave;
  int req_percent = 100, data_percent = 100;
  bool full_strobes = false;
  uint64_t strobe = 0;
  std::deque<Burst> requests;   // to be offered
  uint64_t wanted = 0;          // beats that the client will still offer
  std::vector<Burst> bursts;    // that must appear on AW
  std::deque<uint64_t> places;  // addresses of beats to be taken
  std::deque<unsigned> ends;    // beats left of each burst
  std::unordered_map<uint64_t, uint8_t> expected;
  std::vector<ErrorReport> reports;
  uint64_t strobed_beats = 0, burst_ends = 0;
  bool response_before = false;
  bool aw_may_stay = true;

 private:
  uint64_t area_ = 0x700000000000;
};

using Narrow = Fixture<Vwrite4, 4, 2>;
using Wide = Fixture<Vwrite64, 64, 8>;

template <class F>
void RandomTraffic(uint64_t seed) {
  F f(seed);
  f.Randomize();
  for (uint64_t i = f.random.Between(1, 12); i; i--) f.Ask(f.AnyRequest());
  f.Finish();
  SYSTOLE_CHECK(f.slave.accepted == f.bursts, "the bursts are not those of the requests");
  SYSTOLE_CHECK(f.reports.empty(), "an error that nobody made");
}

template <class F>
void Errors(uint64_t seed) {
  F f(seed);
  f.Randomize();
  f.slave.response = [](uint64_t address) {
    return static_cast<Response>(Background(address) & 3);
  };
  for (uint64_t i = f.random.Between(1, 8); i; i--) f.Ask(f.AnyRequest());
  f.Finish();
  SYSTOLE_CHECK(f.reports == f.slave.errors, "%zu error reports for %zu failed bursts",
                f.reports.size(), f.slave.errors.size());
}

template <class F>
void Abort(uint64_t seed) {
  F f(seed);
  f.Randomize();
  for (int round = 0; round < 4; round++) {
    for (uint64_t i = f.random.Between(1, 12); i; i--) f.Ask(f.AnyRequest());
    for (uint64_t i = f.random.Below(300); i; i--) f.Cycle();
    const bool silent = f.random.Percent(50);  // the client stops offering data
    f.bench->abort_i = 1;
    for (uint64_t i = f.random.Between(1, 5); i || !f.bench->idle_o; i -= i > 0) {
      SYSTOLE_CHECK(f.bench.cycle() < 200000, "an abort does not come to an end");
      f.Cycle();
      if (silent) {
        f.bench->data_valid_i = 0;
        f.wanted = 0;
      }
    }
    SYSTOLE_CHECK(f.slave.in_flight() == 0 && !f.slave.owes_address(), "idle too early");
    SYSTOLE_CHECK(f.slave.memory == f.expected, "an abort wrote something");
    f.bench->abort_i = 0;
    f.bench->req_valid_i = 0;
    f.bench->data_valid_i = 0;
    f.requests.clear();
    f.places.clear();
    f.ends.clear();
    f.wanted = 0;
    f.Ask(f.AnyRequest());
    f.Finish();
  }
}

template <class F>
void LongRequest(unsigned bytes) {
  F f(1);
  f.slave.latency = 10;
  f.full_strobes = true;
  const unsigned beats = 3000;
  f.Ask({kPage - 5 * bytes, beats});
  const uint64_t begin = f.bench.cycle();
  f.Finish();
  cr_assert_leq(f.bench.cycle() - begin, beats + 20, "%d cycles for %u beats",
                (int)(f.bench.cycle() - begin), beats);
}

}  // namespace

Test(axi_write, memory_and_bursts_under_back_pressure_narrow) {
  ForSeeds(60, RandomTraffic<Narrow>);
}
Test(axi_write, memory_and_bursts_under_back_pressure_wide) {
  ForSeeds(60, RandomTraffic<Wide>);
}
Test(axi_write, reports_each_failed_burst_once) {
  ForSeeds(40, Errors<Narrow>);
  ForSeeds(40, Errors<Wide>);
}
Test(axi_write, abort_at_any_moment_completes_bursts_and_writes_nothing_narrow) {
  ForSeeds(60, Abort<Narrow>);
}
Test(axi_write, abort_at_any_moment_completes_bursts_and_writes_nothing_wide) {
  ForSeeds(60, Abort<Wide>);
}

Test(axi_write, a_beat_every_cycle_narrow) { LongRequest<Narrow>(4); }
Test(axi_write, a_beat_every_cycle_wide) { LongRequest<Wide>(64); }

Test(axi_write, an_address_every_cycle_for_requests_of_one_beat) {
  Wide f(1);
  f.full_strobes = true;
  for (uint64_t i = 0; i < 500; i++) f.Ask({i * 640, 1});
  const uint64_t begin = f.bench.cycle();
  f.Finish();
  cr_assert_leq(f.bench.cycle() - begin, 500 + 12, "%d cycles for 500 requests",
                (int)(f.bench.cycle() - begin));
}
