// Memories that are not ours, in one simulation: one that goes through all four phases
// and answers by the law of preset `ideal`, one that is slow to accept and to answer, one
// with b_transport alone, one behind DMI, loosely timed. Results are right on all; on the
// first the cycles are those of the model.
#include <systole/systemc.h>
#include <tlm_utils/peq_with_cb_and_phase.h>

#include <cstdio>
#include <cstring>
#include <deque>
#include <memory>
#include <vector>

using namespace sc_core;

namespace {

int failures = 0;

void expect(bool good, const char *where, const char *what) {
  if (good) return;
  std::printf("%s: %s\n", where, what);
  failures++;
}

constexpr unsigned kBytes = 1u << 20;
constexpr double kCycle = 1000.0 / 300.0;  // ns

// All four phases of the base protocol, one request and one response at a time.
struct phased : sc_module {
  tlm_utils::simple_target_socket<phased> socket{"socket"};
  std::vector<unsigned char> bytes = std::vector<unsigned char>(kBytes);
  sc_time accept, answer;
  tlm_utils::peq_with_cb_and_phase<phased> later{this, &phased::happens};
  std::deque<tlm::tlm_generic_payload *> ready;
  bool responding = false;
  unsigned most = 0, open = 0;

  phased(sc_module_name name, sc_time to_accept, sc_time to_answer)
      : sc_module(name), accept(to_accept), answer(to_answer) {
    socket.register_nb_transport_fw(this, &phased::forward);
    socket.register_b_transport(this, &phased::blocking);
  }
  void move(tlm::tlm_generic_payload &p) {
    if (p.get_address() + p.get_data_length() > bytes.size()) {
      p.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
      return;
    }
    unsigned char *at = bytes.data() + p.get_address();
    if (p.is_read()) std::memcpy(p.get_data_ptr(), at, p.get_data_length());
    if (p.is_write()) std::memcpy(at, p.get_data_ptr(), p.get_data_length());
    p.set_response_status(tlm::TLM_OK_RESPONSE);
  }
  void blocking(tlm::tlm_generic_payload &p, sc_time &) { move(p); }
  tlm::tlm_sync_enum forward(tlm::tlm_generic_payload &p, tlm::tlm_phase &phase,
                             sc_time &delay) {
    if (phase == tlm::BEGIN_REQ) {
      p.acquire();
      open++;
      most = std::max(most, open);
      if (accept == SC_ZERO_TIME) {
        later.notify(p, tlm::BEGIN_RESP, delay + answer);
        phase = tlm::END_REQ;
        return tlm::TLM_UPDATED;
      }
      later.notify(p, tlm::END_REQ, delay + accept);
    } else if (phase == tlm::END_RESP) {
      later.notify(p, tlm::END_RESP, delay);
    }
    return tlm::TLM_ACCEPTED;
  }
  void happens(tlm::tlm_generic_payload &p, const tlm::tlm_phase &phase) {
    if (phase == tlm::END_REQ) {
      tlm::tlm_phase now = tlm::END_REQ;
      sc_time none;
      socket->nb_transport_bw(p, now, none);
      later.notify(p, tlm::BEGIN_RESP, answer);
    } else if (phase == tlm::BEGIN_RESP) {
      ready.push_back(&p);
      respond();
    } else {
      done(p);
      respond();
    }
  }
  void done(tlm::tlm_generic_payload &p) {
    responding = false;
    open--;
    p.release();
  }
  void respond() {
    while (!responding && !ready.empty()) {
      tlm::tlm_generic_payload &p = *ready.front();
      ready.pop_front();
      move(p);
      tlm::tlm_phase now = tlm::BEGIN_RESP;
      sc_time none;
      responding = true;
      const tlm::tlm_sync_enum status = socket->nb_transport_bw(p, now, none);
      if (status == tlm::TLM_COMPLETED || now == tlm::END_RESP) done(p);
    }
  }
};

// The plainest of memories.
struct plain : sc_module {
  tlm_utils::simple_target_socket<plain> socket{"socket"};
  std::vector<unsigned char> bytes = std::vector<unsigned char>(kBytes);

  explicit plain(sc_module_name name) : sc_module(name) {
    socket.register_b_transport(this, &plain::blocking);
  }
  void blocking(tlm::tlm_generic_payload &p, sc_time &delay) {
    delay += sc_time(100, SC_NS);
    if (p.get_address() + p.get_data_length() > bytes.size()) {
      p.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
      return;
    }
    unsigned char *at = bytes.data() + p.get_address();
    if (p.is_read()) std::memcpy(p.get_data_ptr(), at, p.get_data_length());
    if (p.is_write()) std::memcpy(at, p.get_data_ptr(), p.get_data_length());
    p.set_response_status(tlm::TLM_OK_RESPONSE);
  }
};

enum { M = 40, N = 72, K = 100 };

// An accelerator with a memory on each port and software of its own.
struct island : sc_module {
  systole::router cpu_bus{"cpu_bus"};
  systole::accelerator accelerator;
  systole::driver driver;
  sc_signal<bool> interrupt{"interrupt"};
  systole_stats stats{};
  bool over = false;

  static systole::driver_map map() {
    systole::driver_map m;
    m.registers = 0x10000000;
    m.memory_base[0] = 0x80000000;
    m.memory_base[1] = 0x90000000;
    m.memory_bytes[0] = m.memory_bytes[1] = kBytes;
    return m;
  }

  SC_HAS_PROCESS(island);
  island(sc_module_name name, const systole::accelerator_options &options)
      : sc_module(name), accelerator("accelerator", options), driver("driver", map()) {
    driver.socket.bind(cpu_bus.from);
    cpu_bus.map(accelerator.control, 0x10000000, 0x1000, true);
    accelerator.interrupt(interrupt);
    driver.interrupt(interrupt);
    SC_THREAD(run);
    set_stack_size(1 << 20);
  }

  // A router for each port, because our addresses are not the memories' own.
  systole::router bus0{"bus0"}, bus1{"bus1"};
  template <typename Memory>
  void use(Memory &gmem0, Memory &gmem1) {
    accelerator.gmem0.bind(bus0.from);
    accelerator.gmem1.bind(bus1.from);
    cpu_bus.map(bus0.from, 0x80000000, kBytes, false);
    cpu_bus.map(bus1.from, 0x90000000, kBytes, false);
    bus0.map(gmem0.socket, 0x80000000, kBytes, true);
    bus1.map(gmem1.socket, 0x90000000, kBytes, true);
  }

  void run() {
    std::vector<int8_t> a(M * K), b(K * N);
    std::vector<int32_t> c(M * N);
    for (int i = 0; i < M * K; i++) a[i] = static_cast<int8_t>(i * 7 + i / 256);
    for (int i = 0; i < K * N; i++) b[i] = static_cast<int8_t>(i * 5 + i / 128);
    systole_bus bus = driver.bus();
    systole_device *device = nullptr;
    systole_status status = systole_device_open_on_bus(&device, &bus, nullptr);
    for (int again = 0; again < 2 && status == SYSTOLE_OK; again++) {
      status =
          systole_gemm_s8(device, M, N, K, a.data(), K, b.data(), N, c.data(), N, &stats);
    }
    expect(status == SYSTOLE_OK, name(), systole_last_error());
    int wrong = 0;
    for (int i = 0; i < M; i++) {
      for (int j = 0; j < N; j++) {
        int32_t sum = 0;
        for (int k = 0; k < K; k++) sum += a[i * K + k] * b[k * N + j];
        wrong += c[i * N + j] != sum;
      }
    }
    expect(wrong == 0, name(), "elements are wrong");
    systole_device_close(device);
    std::printf("%s: %llu cycles\n", name(),
                static_cast<unsigned long long>(stats.cycles));
    over = true;
  }
};

uint64_t cycles_of_the_model() {
  systole_device *device = nullptr;
  systole_stats stats{};
  std::vector<int8_t> a(M * K), b(K * N);
  std::vector<int32_t> c(M * N);
  if (systole_device_open(&device, "model:16", nullptr) != SYSTOLE_OK) return 0;
  systole_gemm_s8(device, M, N, K, a.data(), K, b.data(), N, c.data(), N, &stats);
  systole_device_close(device);
  return stats.cycles;
}

}  // namespace

int sc_main(int, char **) {
  const uint64_t model = cycles_of_the_model();
  systole::accelerator_options at(16), lt(16);
  lt.timing = systole::timing::loose;

  phased law0("law0", SC_ZERO_TIME, sc_time(64 * kCycle, SC_NS));
  phased law1("law1", SC_ZERO_TIME, sc_time(64 * kCycle, SC_NS));
  island law("law", at);
  law.use(law0, law1);

  phased slow0("slow0", sc_time(30, SC_NS), sc_time(900, SC_NS));
  phased slow1("slow1", sc_time(30, SC_NS), sc_time(900, SC_NS));
  island slow("slow", at);
  slow.use(slow0, slow1);

  plain plain0("plain0"), plain1("plain1");
  island simple("simple", at);
  simple.use(plain0, plain1);

  plain loose0("loose0"), loose1("loose1");
  island loose("loose", lt);
  loose.use(loose0, loose1);

  systole::memory_options options;
  options.bytes = kBytes;
  systole::memory dmi0("dmi0", options), dmi1("dmi1", options);
  island direct("direct", lt);
  direct.use(dmi0, dmi1);

  systole::memory own0("own0", options), own1("own1", options);
  island own("own", at);
  own.use(own0, own1);

  sc_start();
  for (const island *i : {&law, &slow, &simple, &loose, &direct, &own}) {
    expect(i->over, i->name(), "its software did not come to an end");
  }
  expect(own.stats.cycles == model, "own", "the cycles are not the model's");
  expect(law.stats.cycles == model, "law", "the cycles are not the model's");
  expect(loose.stats.cycles == model, "loose", "the cycles are not the model's");
  expect(direct.stats.cycles == model, "direct", "the cycles are not the model's");
  expect(slow.stats.cycles > model + 500, "slow", "it was not slow");
  expect(law0.most > 1, "law0", "bursts did not overlap");
  expect(law0.open == 0 && slow1.open == 0, "memories", "transactions were left over");
  if (failures == 0)
    std::printf("all is well; the model takes %llu cycles\n",
                static_cast<unsigned long long>(model));
  return failures != 0;
}
