// systole_axi_read_arbiter: each client gets its own beats in order, and its turn.
#include "Varbiter.h"
#include "axi_bus.h"

using namespace systole;

namespace {

constexpr unsigned kBytes = 8, kOutstanding = 8;

struct Client {
  CData *ar_valid, *ar_ready;
  QData *ar_addr;
  CData *ar_len;
  CData *r_valid, *r_ready;
  QData *r_data;
  CData *r_resp, *r_last;

  std::deque<Burst> wants{};
  std::deque<Burst> flying{};
  unsigned position = 0;  // of the next beat of flying.front()
  uint64_t beats = 0;
  int ar_percent = 100, r_percent = 100;
};

class Fixture {
 public:
  explicit Fixture(uint64_t seed)
      : bench(seed), random(seed), slave(ReadPinsOf(bench.top()), kBytes, &random) {
    clients[0] = {&bench->c0_ar_valid_i, &bench->c0_ar_ready_o, &bench->c0_ar_addr_i,
                  &bench->c0_ar_len_i,   &bench->c0_r_valid_o,  &bench->c0_r_ready_i,
                  &bench->c0_r_data_o,   &bench->c0_r_resp_o,   &bench->c0_r_last_o};
    clients[1] = {&bench->c1_ar_valid_i, &bench->c1_ar_ready_o, &bench->c1_ar_addr_i,
                  &bench->c1_ar_len_i,   &bench->c1_r_valid_o,  &bench->c1_r_ready_i,
                  &bench->c1_r_data_o,   &bench->c1_r_resp_o,   &bench->c1_r_last_o};
    for (Client &c : clients) {
      *c.ar_valid = 0;
      *c.ar_addr = 0;
      *c.ar_len = 0;
      *c.r_ready = 0;
    }
    slave.response = [](uint64_t address) {
      return static_cast<Response>(address >> 3 & 3);
    };
    bench.Reset();
  }

  void Want(int client, uint64_t count, unsigned most_beats) {
    for (; count; count--) {
      const unsigned beats = static_cast<unsigned>(random.Between(1, most_beats));
      const uint64_t offset = random.Below(kPage / kBytes - beats + 1) * kBytes;
      const uint64_t page = random.Below(1 << 20) * 2 + client;
      clients[client].wants.push_back({page * kPage + offset, beats});
    }
  }

  void Cycle() {
    bool taken[2], waits[2];
    for (int i = 0; i < 2; i++) {
      Client &c = clients[i];
      if (!*c.ar_valid && !c.wants.empty() && random.Percent(c.ar_percent)) {
        *c.ar_valid = 1;
        *c.ar_addr = c.wants.front().address;
        *c.ar_len = static_cast<CData>(c.wants.front().beats - 1);
      }
      *c.r_ready = random.Percent(c.r_percent);
    }
    slave.Drive();
    bench.Settle();
    SYSTOLE_CHECK(!(*clients[0].r_valid && *clients[1].r_valid), "a beat has two owners");
    for (int i = 0; i < 2; i++) {
      Client &c = clients[i];
      taken[i] = *c.ar_valid && *c.ar_ready;
      waits[i] = *c.ar_valid && !*c.ar_ready;
      if (*c.r_valid && *c.r_ready) {
        SYSTOLE_CHECK(!c.flying.empty(), "client %d gets a beat it did not ask for", i);
        const Burst burst = c.flying.front();
        const uint64_t address = burst.address + uint64_t{c.position} * kBytes;
        for (unsigned k = 0; k < kBytes; k++) {
          SYSTOLE_CHECK((*c.r_data >> 8 * k & 0xFF) == Background(address + k),
                        "client %d gets wrong data", i);
        }
        SYSTOLE_CHECK(*c.r_resp == (address >> 3 & 3), "client %d: wrong response", i);
        SYSTOLE_CHECK(*c.r_last == (c.position + 1 == burst.beats), "client %d: last", i);
        c.beats++;
        if (++c.position == burst.beats) {
          c.position = 0;
          c.flying.pop_front();
        }
      }
      if (taken[i]) {
        c.flying.push_back(c.wants.front());
        c.wants.pop_front();
        order.push_back(i);
      }
    }
    SYSTOLE_CHECK(!(taken[0] && taken[1]), "two grants in a cycle");
    // Nobody waits for more than one burst of the other.
    for (int i = 0; i < 2; i++) {
      overtaken[i] = waits[i] ? overtaken[i] + taken[1 - i] : 0;
      SYSTOLE_CHECK(overtaken[i] <= 1, "client %d waits for %d bursts", i, overtaken[i]);
    }
    SYSTOLE_CHECK(clients[0].flying.size() + clients[1].flying.size() <= kOutstanding,
                  "too many bursts in flight");
    slave.Sample();
    bench.Edge();
    slave.Advance();
    for (int i = 0; i < 2; i++) {
      if (taken[i]) *clients[i].ar_valid = 0;
    }
  }

  void Finish() {
    for (uint64_t begin = bench.cycle();
         !(clients[0].wants.empty() && clients[1].wants.empty() &&
           clients[0].flying.empty() && clients[1].flying.empty());) {
      SYSTOLE_CHECK(bench.cycle() - begin < 100000, "it does not come to an end");
      Cycle();
    }
  }

  Bench<Varbiter> bench;
  Random random;
  ReadSlave slave;
  Client clients[2];
  std::vector<int> order;
  int overtaken[2] = {0, 0};
};

}  // namespace

Test(axi_read_arbiter, routes_under_back_pressure) {
  ForSeeds(100, [](uint64_t seed) {
    Fixture f(seed);
    f.slave.ar_percent = f.random.Willingness();
    f.slave.r_percent = f.random.Willingness();
    f.slave.latency = f.random.Between(1, 30);
    for (int i = 0; i < 2; i++) {
      f.clients[i].ar_percent = f.random.Willingness();
      f.clients[i].r_percent = f.random.Willingness();
      f.Want(i, f.random.Below(20), f.random.Percent(50) ? 4 : 60);
    }
    f.Finish();
  });
}

Test(axi_read_arbiter, clients_take_turns) {
  Fixture f(1);
  f.Want(0, 50, 8);
  f.Want(1, 50, 8);
  f.Finish();
  for (size_t i = 1; i < f.order.size(); i++) cr_assert_neq(f.order[i], f.order[i - 1]);
}

Test(axi_read_arbiter, an_address_and_a_beat_every_cycle) {
  Fixture f(1);
  f.Want(0, 300, 1);
  f.Finish();
  cr_assert_leq(f.bench.cycle(), 3 + 300 + 5, "%d cycles for 300 bursts of one beat",
                (int)f.bench.cycle());
}
