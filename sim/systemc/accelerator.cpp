// The accelerator's registers, its bursts and its time. Function and timing are sim/model
// and host/program/forecast; here they meet the platform's memory and clock.
#include <algorithm>
#include <array>
#include <cstring>
#include <deque>
#include <stdexcept>
#include <vector>

#include "card/systole_isa.h"
#include "clock.h"
#include "systole/systemc.h"

extern "C" {
#include "model/model.h"
}

namespace systole {

namespace {

enum { kDispatched = SYSTOLE_REG_COUNTERS + 8 * SYSTOLE_COUNTER_INSTRUCTIONS };
enum { kPorts = 2, kChannels = 3, kPage = 4096 };

constexpr std::size_t kStack = 1u << 20;  // bytes, for the model's arithmetic

// What goes the same way on the same port is answered in order.
enum channel { kLoads, kStores, kGmem1 };

channel channel_of(int unit) {
  return unit == SYSTOLE_UNIT_LOAD    ? kLoads
         : unit == SYSTOLE_UNIT_STORE ? kStores
                                      : kGmem1;
}

int port_of(int unit) {
  return unit == SYSTOLE_UNIT_LOAD || unit == SYSTOLE_UNIT_STORE ? 0 : 1;
}

int error_of(tlm::tlm_response_status status) {
  if (status == tlm::TLM_OK_RESPONSE) return SYSTOLE_ERROR_NONE;
  return status == tlm::TLM_ADDRESS_ERROR_RESPONSE ? SYSTOLE_ERROR_DECODE
                                                   : SYSTOLE_ERROR_SLAVE;
}

// A burst under way, or whose data are not used yet.
struct burst : public tlm::tlm_generic_payload {
  explicit burst(tlm::tlm_mm_interface *mm) : tlm::tlm_generic_payload(mm) {}

  std::vector<std::uint8_t> data;
  std::uint64_t run = 0;  // number of the run
  int unit = 0;
  std::uint64_t address = 0;
  std::uint32_t index = 0;  // of the STORE
  bool answered = false;    // there is a response
  bool taken = false;       // the forecast has it
  bool unused = false;      // nobody will ask for the data
  std::int64_t cycle = 0;   // of the answer
  std::size_t used = 0;     // bytes of `data`
};

// Bursts are kept and used again, but not while somebody still holds them.
class pool : public tlm::tlm_mm_interface {
 public:
  pool() = default;
  pool(const pool &) = delete;
  pool &operator=(const pool &) = delete;
  ~pool() override {
    for (burst *b : all_) {
      b->set_mm(nullptr);
      delete b;
    }
  }
  burst *get(std::size_t bytes) {
    if (idle_.empty()) {
      all_.push_back(new burst(this));
      idle_.push_back(all_.back());
    }
    burst *b = idle_.back();
    idle_.pop_back();
    b->answered = b->taken = b->unused = false;
    b->used = 0;
    b->data.resize(bytes);
    b->acquire();
    return b;
  }
  void free(tlm::tlm_generic_payload *payload) override {
    payload->reset();
    idle_.push_back(static_cast<burst *>(payload));
  }

 private:
  std::vector<burst *> all_, idle_;
};

// A piece of a result on its way to memory.
struct piece {
  std::uint64_t address;
  std::vector<std::uint8_t> bytes;
  std::size_t sent;
  std::uint32_t index;  // of its STORE
};

}  // namespace

accelerator_options::accelerator_options(int dim)
    : geometry(systole_model_geometry(dim)) {}

struct accelerator::body {
  body(accelerator &self, const accelerator_options &o);
  ~body() { systole_model_free(model); }

  accelerator &owner;
  accelerator_options options;
  clock clk;
  systole_model_bus bus{};
  systole_forecast_bus time{};
  systole_model *model = nullptr;
  pool payloads;

  // Registers that the model has not.
  std::array<std::uint32_t, 16> arguments{};  // words of 0x00 ... 0x3F
  bool interrupt_enable = false;
  std::uint32_t interrupt_mask = 0, interrupt_status = 0;
  bool wanted = false, running = false, done = false, ready = false;

  // The run.
  sc_core::sc_event start_event, answer_event, stop_event, interrupt_event;
  bool stop = false;     // by reset()
  bool failing = false;  // a response was an error; the unit has still to meet it
  std::uint64_t run_number = 0, sent = 0;
  std::uint64_t progress = 0;           // instructions
  std::int64_t origin = 0;              // cycle of its start
  std::uint64_t base[kPorts + 1] = {};  // program, weights, activations
  std::deque<burst *> open[kChannels];  // sent, and the forecast has no answer
  std::deque<burst *> here[kPorts];     // reads whose data are not used, in order
  std::deque<burst *> queue[kPorts];    // wait for the request before them
  burst *requesting[kPorts] = {};
  std::deque<piece> pieces;  // results that wait for their burst
  std::function<void()> pulse;

  struct region {  // direct memory
    std::uint64_t first, last;
    unsigned char *data;
    bool reads, writes;
  };
  std::vector<region> regions[kPorts];
  bool dmi_refused[kPorts] = {};

  tlm_utils::simple_initiator_socket<accelerator> &port(int p) {
    return p == 0 ? owner.gmem0 : owner.gmem1;
  }
  sc_core::sc_time at(std::int64_t cycle) const { return clk.at(origin + cycle); }
  std::int64_t cycle_of(const sc_core::sc_time &t) const {
    return clk.cycle_of(t) - origin;
  }

  // registers
  void write_register(std::uint32_t offset, std::uint32_t value);
  std::uint32_t read_register(std::uint32_t offset, bool look);
  void show_interrupt();
  void access(tlm::tlm_generic_payload &p, bool look);

  // transactions without bursts
  int transfer(int p, bool write, std::uint64_t address, std::uint8_t *data,
               std::uint64_t bytes, std::uint64_t *bad);
  unsigned char *direct(int p, bool write, std::uint64_t address, std::uint64_t bytes);

  // bursts
  std::int64_t send(const systole_forecast_burst &b);
  int pass(std::int64_t cycle, systole_forecast_answer *answer);
  bool pass_time(std::int64_t cycle);
  void request(burst *b, const sc_core::sc_time &delay);
  void request_over(int p);
  void respond(burst *b, const sc_core::sc_time &at);
  bool fill(burst *b, std::uint64_t address, std::size_t bytes);
  int read(int unit, std::uint64_t address, std::uint8_t *to, std::uint64_t bytes,
           std::uint64_t ahead, std::uint64_t *bad);
  void drop(burst *b);
  void forget();
  tlm::tlm_sync_enum backward(int p, tlm::tlm_generic_payload &payload,
                              tlm::tlm_phase &phase, const sc_core::sc_time &delay);

  // runs
  void loosely();
  void finish();
  void one_run();
};

// ---- the model's callbacks
// ---------------------------------------------------------------

namespace {

// The body is private; these have its address and the right types.
template <typename Body>
struct callbacks {
  static int read(void *user, int unit, std::uint64_t address, void *to,
                  std::uint64_t bytes, std::uint64_t ahead, std::uint64_t *bad) {
    Body *b = static_cast<Body *>(user);
    auto *data = static_cast<std::uint8_t *>(to);
    if (unit == SYSTOLE_UNIT_FETCH || b->options.timing == timing::loose) {
      return b->transfer(port_of(unit), false, address, data, bytes, bad);
    }
    return b->read(unit, address, data, bytes, ahead, bad);
  }
  static int write(void *user, std::uint32_t index, std::uint64_t address,
                   const void *from, std::uint64_t bytes, std::uint64_t *bad) {
    Body *b = static_cast<Body *>(user);
    const auto *data = static_cast<const std::uint8_t *>(from);
    if (b->options.timing == timing::loose) {
      return b->transfer(0, true, address, const_cast<std::uint8_t *>(data), bytes, bad);
    }
    b->pieces.push_back(
        {address, std::vector<std::uint8_t>(data, data + bytes), 0, index});
    return SYSTOLE_ERROR_NONE;
  }
  static std::int64_t send(void *user, const systole_forecast_burst *burst) {
    return static_cast<Body *>(user)->send(*burst);
  }
  static int pass(void *user, std::int64_t cycle, systole_forecast_answer *answer) {
    return static_cast<Body *>(user)->pass(cycle, answer);
  }
};

}  // namespace

accelerator::body::body(accelerator &self, const accelerator_options &o)
    : owner(self), options(o), clk(o.clock_mhz > 0 ? o.clock_mhz : 300.0) {
  bus = {this, &callbacks<body>::read, &callbacks<body>::write};
  time = {this, &callbacks<body>::send, &callbacks<body>::pass};
  systole_model_options wanted_model{};
  wanted_model.geometry = o.geometry;
  wanted_model.memory = options.memory.c_str();
  wanted_model.clock_mhz = o.clock_mhz;
  wanted_model.timing_only = !o.data;
  wanted_model.bus = &bus;
  if (systole_model_create(&model, &wanted_model) != SYSTOLE_OK) {
    throw std::invalid_argument(systole_last_error());
  }
}

// ---- registers
// ---------------------------------------------------------------------------

void accelerator::body::show_interrupt() {
  interrupt_event.notify(sc_core::SC_ZERO_TIME);
}

// A process of its own, because a signal has one writer.
void accelerator::drive_interrupt() {
  const bool up = body_->interrupt_enable && body_->interrupt_status != 0;
  for (int i = 0; i < interrupt.size(); i++) interrupt[i]->write(up);
}

void accelerator::body::write_register(std::uint32_t offset, std::uint32_t value) {
  switch (offset) {
    case SYSTOLE_REG_CONTROL:
      if (value & 1u) {
        wanted = true;
        start_event.notify(sc_core::SC_ZERO_TIME);
      }
      break;
    case SYSTOLE_REG_INTERRUPT_ENABLE:
      interrupt_enable = (value & 1u) != 0;
      break;
    case SYSTOLE_REG_INTERRUPT_MASK:
      interrupt_mask = value & 3u;
      break;
    case SYSTOLE_REG_INTERRUPT_STATUS:
      interrupt_status ^= value & 3u;
      break;
    default:
      if (offset >= SYSTOLE_REG_PROGRAM && offset <= SYSTOLE_REG_INSTRUCTIONS) {
        arguments[offset / 4] = value;
      }
  }
  show_interrupt();
}

std::uint32_t accelerator::body::read_register(std::uint32_t offset, bool look) {
  switch (offset) {
    case SYSTOLE_REG_CONTROL: {
      const bool idle = !running && !wanted;
      const std::uint32_t value =
          (wanted ? 1u : 0u) | (done ? 2u : 0u) | (idle ? 4u : 0u) | (ready ? 8u : 0u);
      if (!look) done = ready = false;
      return value;
    }
    case SYSTOLE_REG_INTERRUPT_ENABLE:
      return interrupt_enable ? 1 : 0;
    case SYSTOLE_REG_INTERRUPT_MASK:
      return interrupt_mask;
    case SYSTOLE_REG_INTERRUPT_STATUS:
      return interrupt_status;
    default:
      if (offset >= SYSTOLE_REG_PROGRAM && offset <= SYSTOLE_REG_INSTRUCTIONS) {
        return arguments[offset / 4];
      }
      /* While a run is going: how far it has come. */
      if (running && offset == kDispatched) return static_cast<std::uint32_t>(progress);
      return systole_model_register(model, offset);
  }
}

void accelerator::body::access(tlm::tlm_generic_payload &p, bool look) {
  const unsigned bytes = p.get_data_length();
  if (p.get_byte_enable_ptr() != nullptr) {
    p.set_response_status(tlm::TLM_BYTE_ENABLE_ERROR_RESPONSE);
  } else if (bytes == 0 || bytes % 4 != 0 || p.get_streaming_width() < bytes) {
    p.set_response_status(tlm::TLM_BURST_ERROR_RESPONSE);
  } else {
    for (unsigned i = 0; i < bytes; i += 4) {
      const auto offset = static_cast<std::uint32_t>((p.get_address() + i) & 0xFFC);
      std::uint32_t value;
      if (p.is_write()) {
        std::memcpy(&value, p.get_data_ptr() + i, 4);
        write_register(offset, value);
      } else if (p.is_read()) {
        value = read_register(offset, look);
        std::memcpy(p.get_data_ptr() + i, &value, 4);
      }
    }
    p.set_response_status(tlm::TLM_OK_RESPONSE);
  }
}

// ---- memory without bursts
// ---------------------------------------------------------------

// Direct memory behind `bytes` at `address`, or nullptr.
unsigned char *accelerator::body::direct(int p, bool write, std::uint64_t address,
                                         std::uint64_t bytes) {
  const std::uint64_t last = address + (bytes - 1);
  for (int again = 0; again < 2; again++) {
    for (const region &r : regions[p]) {
      if (address >= r.first && last <= r.last && (write ? r.writes : r.reads)) {
        return r.data + (address - r.first);
      }
    }
    if (again != 0 || dmi_refused[p]) break;
    tlm::tlm_generic_payload ask;
    tlm::tlm_dmi dmi;
    ask.set_address(address);
    ask.set_command(write ? tlm::TLM_WRITE_COMMAND : tlm::TLM_READ_COMMAND);
    if (!port(p)->get_direct_mem_ptr(ask, dmi)) break;
    regions[p].push_back({dmi.get_start_address(), dmi.get_end_address(),
                          dmi.get_dmi_ptr(), dmi.is_read_allowed(),
                          dmi.is_write_allowed()});
  }
  return nullptr;
}

// `bytes` at once: by DMI, or by b_transport in pieces that a burst could be. Returns an
// error code with the piece's address in *bad.
int accelerator::body::transfer(int p, bool write, std::uint64_t address,
                                std::uint8_t *data, std::uint64_t bytes,
                                std::uint64_t *bad) {
  unsigned char *memory = direct(p, write, address, bytes);
  if (memory != nullptr) {
    std::memcpy(write ? memory : data, write ? data : memory, bytes);
    return SYSTOLE_ERROR_NONE;
  }
  while (bytes > 0) {
    const std::uint64_t now = std::min<std::uint64_t>(bytes, kPage - address % kPage);
    tlm::tlm_generic_payload t;
    sc_core::sc_time delay = sc_core::SC_ZERO_TIME;
    t.set_command(write ? tlm::TLM_WRITE_COMMAND : tlm::TLM_READ_COMMAND);
    t.set_address(address);
    t.set_data_ptr(data);
    t.set_data_length(static_cast<unsigned>(now));
    t.set_streaming_width(static_cast<unsigned>(now));
    t.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
    port(p)->b_transport(t, delay);
    const int error = error_of(t.get_response_status());
    *bad = address;
    if (error != SYSTOLE_ERROR_NONE) return error;
    address += now;
    data += now;
    bytes -= now;
  }
  return SYSTOLE_ERROR_NONE;
}

// ---- bursts
// ------------------------------------------------------------------------------

// Lets time pass until `cycle` of the run. False: the run is to be abandoned.
bool accelerator::body::pass_time(std::int64_t cycle) {
  if (pulse) pulse();
  const sc_core::sc_time until = at(std::max<std::int64_t>(cycle, 0));
  while (!stop && until > sc_core::sc_time_stamp()) {
    sc_core::wait(until - sc_core::sc_time_stamp(), stop_event);
  }
  return !stop;
}

// What the STOREs have for a burst. False: it is not computed, or there is an error.
bool accelerator::body::fill(burst *b, std::uint64_t address, std::size_t bytes) {
  std::size_t have = 0;
  int failed = 0;
  bool computed = false;
  while (have < bytes) {
    if (pieces.empty()) {
      if (computed || have > 0) break;  // what is missing pads the last beat
      if (systole_model_compute(model, &failed) != SYSTOLE_OK || failed) return false;
      computed = true;
      continue;
    }
    piece &p = pieces.front();
    if (p.address + p.sent != address + have) break;
    const std::size_t now = std::min(bytes - have, p.bytes.size() - p.sent);
    std::memcpy(b->data.data() + have, p.bytes.data() + p.sent, now);
    b->index = p.index;
    have += now;
    p.sent += now;
    if (p.sent == p.bytes.size()) pieces.pop_front();
  }
  b->data.resize(have);
  return have > 0;
}

void accelerator::body::drop(burst *b) { b->release(); }

// BEGIN_REQ, `delay` from now.
void accelerator::body::request(burst *b, const sc_core::sc_time &delay) {
  const int p = port_of(b->unit);
  tlm::tlm_phase phase = tlm::BEGIN_REQ;
  sc_core::sc_time t = delay;
  sent++;
  requesting[p] = b;
  const tlm::tlm_sync_enum status = port(p)->nb_transport_fw(*b, phase, t);
  if (status == tlm::TLM_COMPLETED) {
    respond(b, sc_core::sc_time_stamp() + t);
  } else if (status == tlm::TLM_UPDATED && phase == tlm::BEGIN_RESP) {
    const sc_core::sc_time answer = sc_core::sc_time_stamp() + t;
    phase = tlm::END_RESP;
    port(p)->nb_transport_fw(*b, phase, t);
    respond(b, answer);
  } else if (status == tlm::TLM_UPDATED && phase == tlm::END_REQ) {
    requesting[p] = nullptr;
  }
  if (b->answered) requesting[p] = nullptr;
}

// The next request may begin.
void accelerator::body::request_over(int p) {
  requesting[p] = nullptr;
  while (requesting[p] == nullptr && !queue[p].empty()) {
    burst *next = queue[p].front();
    queue[p].pop_front();
    request(next, sc_core::SC_ZERO_TIME);
  }
}

// A response that is there, or will be, at `when`. Reads: their first beat.
void accelerator::body::respond(burst *b, const sc_core::sc_time &when) {
  b->answered = true;
  b->cycle = cycle_of(when);
  const int error = error_of(b->get_response_status());
  const bool old = b->run != run_number;
  if (error != SYSTOLE_ERROR_NONE && !old) {
    if (b->unit == SYSTOLE_UNIT_STORE && options.data) {
      systole_model_fail(model, error, b->unit, b->index, b->address);
    }
    failing = true;
  }
  if (old) {
    drop(b);
    return;
  }
  answer_event.notify(sc_core::SC_ZERO_TIME);
}

// A burst of the run goes out.
std::int64_t accelerator::body::send(const systole_forecast_burst &f) {
  if (!pass_time(f.now - SYSTOLE_FORECAST_BACK)) return SYSTOLE_FORECAST_ABANDON;
  int failed = 0;
  if (failing && (systole_model_compute(model, &failed) != SYSTOLE_OK || failed)) {
    return SYSTOLE_FORECAST_ABANDON;
  }
  const int p = port_of(f.unit);
  const channel c = channel_of(f.unit);
  const std::uint64_t from = f.unit == SYSTOLE_UNIT_FETCH    ? base[0]
                             : f.unit == SYSTOLE_UNIT_WEIGHT ? base[1]
                                                             : base[2];
  if (f.unit == SYSTOLE_UNIT_FETCH) {
    progress = static_cast<std::uint64_t>(f.offset) / SYSTOLE_INSTRUCTION_BYTES;
  }
  burst *b = payloads.get(static_cast<std::size_t>(f.bytes));
  b->run = run_number;
  b->unit = f.unit;
  b->address = from + static_cast<std::uint64_t>(f.offset);
  const bool write = f.unit == SYSTOLE_UNIT_STORE;
  static unsigned char none = TLM_BYTE_DISABLED;
  b->set_byte_enable_ptr(nullptr);
  if (write && !options.data) {
    b->set_byte_enable_ptr(&none);  // time alone
    b->set_byte_enable_length(1);
  } else if (write && !fill(b, b->address, b->data.size())) {
    drop(b);
    /* The units' function stands, other than their time, which knows no races. */
    systole_model_starved(model);
    return SYSTOLE_FORECAST_ABANDON;
  }
  b->unused = f.unit == SYSTOLE_UNIT_FETCH || write || !options.data;
  const auto length = static_cast<unsigned>(b->data.size());
  b->set_command(write ? tlm::TLM_WRITE_COMMAND : tlm::TLM_READ_COMMAND);
  b->set_address(b->address);
  b->set_data_ptr(b->data.data());
  b->set_data_length(length);
  b->set_streaming_width(length);
  b->set_dmi_allowed(false);
  b->set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);

  open[c].push_back(b);
  if (!b->unused) here[p].push_back(b);
  if (requesting[p] != nullptr || !queue[p].empty()) {
    queue[p].push_back(b);
    return SYSTOLE_FORECAST_LATER;
  }
  const sc_core::sc_time now = sc_core::sc_time_stamp(), then = at(f.cycle);
  request(b, then > now ? then - now : sc_core::SC_ZERO_TIME);
  if (open[c].front() != b || !b->answered) return SYSTOLE_FORECAST_LATER;
  open[c].pop_front();
  const std::int64_t cycle = std::max(b->cycle, f.cycle);
  b->taken = true;
  if (b->unused) drop(b);
  return cycle;
}

// Lets time pass until `cycle` or an answer.
int accelerator::body::pass(std::int64_t cycle, systole_forecast_answer *answer) {
  if (pulse) pulse();
  for (;;) {
    for (std::deque<burst *> &q : open) {
      if (q.empty() || !q.front()->answered) continue;
      burst *b = q.front();
      q.pop_front();
      *answer = {b->unit, b->cycle};
      b->taken = true;
      if (b->unused) drop(b);
      return 1;
    }
    if (stop) return SYSTOLE_FORECAST_ABANDON;
    if (cycle == INT64_MAX) {
      sc_core::wait(answer_event | stop_event);
      continue;
    }
    const sc_core::sc_time now = sc_core::sc_time_stamp(), until = at(cycle);
    if (now >= until) return 0;
    sc_core::wait(until - now, answer_event | stop_event);
  }
}

// Data that bursts have brought, for the model.
int accelerator::body::read(int unit, std::uint64_t address, std::uint8_t *to,
                            std::uint64_t bytes, std::uint64_t ahead,
                            std::uint64_t *bad) {
  std::deque<burst *> &q = here[port_of(unit)];
  const auto left = [](const burst *b) { return b->data.size() - b->used; };
  /* A line of a LOAD may have ended in the middle of its last beat. */
  while (unit == SYSTOLE_UNIT_LOAD && !q.empty() && q.front()->used > 0 &&
         q.front()->address + q.front()->used != address) {
    drop(q.front());
    q.pop_front();
  }
  auto first = q.begin();
  for (; first != q.end() && (left(*first) == 0 || ahead > 0); ++first) {
    ahead -= std::min<std::uint64_t>(ahead, left(*first));
  }
  std::uint64_t have = 0;
  for (auto i = first; i != q.end() && have < bytes; ++i) {
    if (!(*i)->taken || (*i)->address + (*i)->used != address + have) break;
    const int error = error_of((*i)->get_response_status());
    *bad = (*i)->address;
    if (error != SYSTOLE_ERROR_NONE) return error;
    have += left(*i);
  }
  if (have < bytes) return SYSTOLE_MODEL_LATER;
  for (have = 0; have < bytes; ++first) {
    burst *b = *first;
    const std::size_t now =
        std::min<std::size_t>(left(b), static_cast<std::size_t>(bytes - have));
    std::memcpy(to + have, b->data.data() + b->used, now);
    b->used += now;
    have += now;
  }
  while (!q.empty() && left(q.front()) == 0) {
    drop(q.front());
    q.pop_front();
  }
  return SYSTOLE_ERROR_NONE;
}

// At the end of a run: what is under way comes back to nobody.
void accelerator::body::forget() {
  for (std::deque<burst *> &q : here) {
    for (burst *b : q) {
      if (b->taken) drop(b);
    }
    q.clear();
  }
  for (std::deque<burst *> &q : open) {
    for (burst *b : q) {
      if (b->answered) drop(b);  // others by respond()
    }
    q.clear();
  }
  for (std::deque<burst *> &q : queue) {
    for (burst *b : q) drop(b);  // never sent
    q.clear();
  }
  pieces.clear();
  run_number++;
}

tlm::tlm_sync_enum accelerator::body::backward(int p, tlm::tlm_generic_payload &payload,
                                               tlm::tlm_phase &phase,
                                               const sc_core::sc_time &delay) {
  auto *b = static_cast<burst *>(&payload);  // no other was ever sent
  const bool mine = requesting[p] == b;
  if (phase == tlm::END_REQ) {
    if (mine) request_over(p);
    return tlm::TLM_ACCEPTED;
  }
  if (phase != tlm::BEGIN_RESP) return tlm::TLM_ACCEPTED;
  respond(b, sc_core::sc_time_stamp() + delay);
  if (mine) request_over(p);
  phase = tlm::END_RESP;
  return tlm::TLM_COMPLETED;
}

// ---- runs
// --------------------------------------------------------------------------------

// Data and time a quantum at a time.
void accelerator::body::loosely() {
  std::uint64_t cycles = 0;
  int over = 0;
  sc_core::sc_time quantum = options.quantum;
  if (quantum == sc_core::SC_ZERO_TIME) {
    quantum = tlm::tlm_global_quantum::instance().get();
  }
  if (quantum == sc_core::SC_ZERO_TIME) quantum = sc_core::sc_time(1, sc_core::SC_US);
  systole_model_measure(model, &cycles);
  const auto step = std::max<std::int64_t>(1, clk.cycle_of(quantum));
  const auto all = static_cast<std::int64_t>(cycles);
  std::int64_t now = 0;
  do {
    now = std::min(all, now + step);
    const double part =
        now < all ? static_cast<double>(now) / static_cast<double>(all) : 1.0;
    progress = static_cast<std::uint64_t>(part * arguments[SYSTOLE_REG_INSTRUCTIONS / 4]);
    if (!over && systole_model_run_to(model, part, &over) != SYSTOLE_OK) {
      throw std::runtime_error(systole_last_error());
    }
    const bool failed = systole_model_register(model, SYSTOLE_REG_ERROR_CODE) != 0;
    if (failed || !pass_time(now)) return;
  } while (now < all || !over);
}

void accelerator::body::one_run() {
  const auto address = [this](std::uint32_t offset) {
    return arguments[offset / 4] | static_cast<std::uint64_t>(arguments[offset / 4 + 1])
                                       << 32;
  };
  base[0] = address(SYSTOLE_REG_PROGRAM);
  base[1] = address(SYSTOLE_REG_WEIGHTS);
  base[2] = address(SYSTOLE_REG_ACTIVATIONS);
  running = true;
  progress = 0;
  wanted = stop = failing = false;
  origin = clk.cycle_of(sc_core::sc_time_stamp());
  if (systole_model_start(model, base[0], base[1], base[2],
                          arguments[SYSTOLE_REG_INSTRUCTIONS / 4]) != SYSTOLE_OK) {
    throw std::runtime_error(systole_last_error());
  }
  if (options.timing == timing::loose) {
    loosely();
  } else if (systole_model_run_timed(model, &time) != SYSTOLE_OK) {
    throw std::runtime_error(systole_last_error());
  }
  forget();
  const auto cycles =
      static_cast<std::int64_t>(systole_model_register(model, SYSTOLE_REG_COUNTERS)) |
      static_cast<std::int64_t>(systole_model_register(model, SYSTOLE_REG_COUNTERS + 4))
          << 32;
  if (!stop) pass_time(cycles);
  finish();
}

void accelerator::body::finish() {
  running = false;
  if (stop) {
    systole_model_stop(model);
    wanted = false;
    return;
  }
  done = ready = true;
  interrupt_status |= interrupt_mask;
  show_interrupt();
}

void accelerator::run() {
  for (;;) {
    while (!body_->wanted) sc_core::wait(body_->start_event);
    body_->one_run();
  }
}

// ---- the module
// --------------------------------------------------------------------------

accelerator::accelerator(sc_core::sc_module_name name, const accelerator_options &options)
    : sc_module(name),
      control("control"),
      gmem0("gmem0"),
      gmem1("gmem1"),
      interrupt("interrupt"),
      body_(std::make_unique<body>(*this, options)) {
  SC_HAS_PROCESS(accelerator);
  control.register_b_transport(this, &accelerator::control_b_transport);
  control.register_transport_dbg(this, &accelerator::control_dbg);
  gmem0.register_nb_transport_bw(this, &accelerator::gmem0_bw);
  gmem1.register_nb_transport_bw(this, &accelerator::gmem1_bw);
  gmem0.register_invalidate_direct_mem_ptr(this, &accelerator::gmem0_invalidate);
  gmem1.register_invalidate_direct_mem_ptr(this, &accelerator::gmem1_invalidate);
  SC_THREAD(run);
  set_stack_size(kStack);
  SC_METHOD(drive_interrupt);
  dont_initialize();
  sensitive << body_->interrupt_event;
}

accelerator::~accelerator() = default;

void accelerator::reset() {
  body_->wanted = false;
  body_->done = body_->ready = false;
  if (!body_->running) return;
  body_->stop = true;
  body_->stop_event.notify(sc_core::SC_ZERO_TIME);
}

bool accelerator::busy() const { return body_->running || body_->wanted; }

sc_core::sc_time accelerator::cycle() const { return body_->clk.period(); }

std::uint64_t accelerator::bursts() const { return body_->sent; }

void accelerator::on_pulse(std::function<void()> pulse) {
  body_->pulse = std::move(pulse);
}

// A read takes a cycle, a write two (hw/rtl/systole_control.sv).
void accelerator::control_b_transport(tlm::tlm_generic_payload &payload,
                                      sc_core::sc_time &delay) {
  body_->access(payload, false);
  delay += body_->clk.at(payload.is_write() ? 2 : 1);
}

unsigned accelerator::control_dbg(tlm::tlm_generic_payload &payload) {
  if (payload.is_write()) return 0;
  body_->access(payload, true);
  return payload.is_response_ok() ? payload.get_data_length() : 0;
}

tlm::tlm_sync_enum accelerator::gmem0_bw(tlm::tlm_generic_payload &payload,
                                         tlm::tlm_phase &phase, sc_core::sc_time &delay) {
  return body_->backward(0, payload, phase, delay);
}

tlm::tlm_sync_enum accelerator::gmem1_bw(tlm::tlm_generic_payload &payload,
                                         tlm::tlm_phase &phase, sc_core::sc_time &delay) {
  return body_->backward(1, payload, phase, delay);
}

void accelerator::gmem0_invalidate(sc_dt::uint64, sc_dt::uint64) {
  body_->regions[0].clear();
}

void accelerator::gmem1_invalidate(sc_dt::uint64, sc_dt::uint64) {
  body_->regions[1].clear();
}

}  // namespace systole
