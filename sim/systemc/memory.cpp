// Memory behind one bus, and its timing law.
#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "clock.h"
#include "memory/axi_memory.h"
#include "memory/axi_store.h"
#include "systole/systemc.h"

namespace systole {

namespace {

// One direction of the bus, as in sim/memory/axi_memory.h: a beat is due when the
// accumulator says so, in order, and a pause is not made up for.
class channel {
 public:
  explicit channel(const systole_axi_timing &timing) { port_.timing = timing; }

  // Beats of a read whose address came in `cycle`. Returns that of the first one.
  std::int64_t read(std::int64_t cycle, std::int64_t beats) {
    return take(cycle + port_.timing.latency, beats);
  }
  // Beats of a write of which the last one came in `cycle`, those before in the cycles
  // before. Returns when the last one is taken.
  std::int64_t write(std::int64_t cycle, std::int64_t beats) {
    const std::int64_t unit = port_.timing.rate_beats, step = port_.timing.rate_cycles;
    const std::int64_t whole = (beats - 1) * step;
    due_ = std::max(due_ + whole, cycle * unit - (unit - 1));
    const std::int64_t last = (due_ + unit - 1) / unit;
    due_ += step;
    return last;
  }
  std::int64_t latency() const { return port_.timing.latency; }
  // Cycle after the last beat so far.
  std::int64_t free() const {
    return (due_ + port_.timing.rate_beats - 1) / port_.timing.rate_beats;
  }

 private:
  std::int64_t take(std::int64_t from, std::int64_t beats) {
    const std::int64_t unit = port_.timing.rate_beats;
    const std::int64_t first = std::max(from, (due_ + unit - 1) / unit);
    due_ = static_cast<std::int64_t>(systole_axi_next_due(
        &port_, static_cast<std::uint64_t>(first), static_cast<std::uint64_t>(due_)));
    due_ += (beats - 1) * static_cast<std::int64_t>(port_.timing.rate_cycles);
    return first;
  }

  systole_axi_port port_{};
  std::int64_t due_ = 0;  // in 1 / rate_beats cycles
};

}  // namespace

struct memory::body {
  body(const memory_options &o, const systole_axi_timing &timing)
      : options(o), clk(o.clock_mhz), reads(timing), writes(timing) {}
  ~body() { systole_axi_store_free(store); }

  memory_options options;
  clock clk;
  channel reads, writes;
  systole_axi_store *store = nullptr;
  std::uint64_t shift = 0;  // of the store's addresses, which do not begin at 0
  bool refuses = false;
  std::uint64_t refused_first = 0, refused_last = 0;

  bool is_refused(std::uint64_t address, std::uint64_t bytes) const {
    return refuses && address <= refused_last && address + (bytes - 1) >= refused_first;
  }
  void move(tlm::tlm_generic_payload &payload);
  sc_core::sc_time answer(const tlm::tlm_generic_payload &payload,
                          const sc_core::sc_time &arrival, bool whole);
};

// The data and the response status.
void memory::body::move(tlm::tlm_generic_payload &p) {
  const unsigned bytes = p.get_data_length();
  const unsigned width = p.get_streaming_width();
  std::uint8_t *at = systole_axi_store_at(store, p.get_address() + shift, bytes);
  if (at == nullptr || bytes == 0) {
    p.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
  } else if (is_refused(p.get_address(), bytes)) {
    p.set_response_status(tlm::TLM_GENERIC_ERROR_RESPONSE);
  } else if (width < bytes) {
    p.set_response_status(tlm::TLM_BURST_ERROR_RESPONSE);
  } else {
    const unsigned char *enable = p.get_byte_enable_ptr();
    const unsigned enables = p.get_byte_enable_length();
    unsigned char *data = p.get_data_ptr();
    for (unsigned i = 0; enable != nullptr && enables > 0 && i < bytes; i++) {
      if (enable[i % enables] == 0) continue;
      if (p.is_read()) data[i] = at[i];
      if (p.is_write()) at[i] = data[i];
    }
    if (enable == nullptr && p.is_read()) std::memcpy(data, at, bytes);
    if (enable == nullptr && p.is_write()) std::memcpy(at, data, bytes);
    p.set_response_status(tlm::TLM_OK_RESPONSE);
  }
}

// When a read's first beat (`whole`: its last) or a write's response is there.
sc_core::sc_time memory::body::answer(const tlm::tlm_generic_payload &p,
                                      const sc_core::sc_time &arrival, bool whole) {
  const std::int64_t width = options.bus_bytes;
  const std::int64_t beats =
      std::max<std::int64_t>(1, (p.get_data_length() + width - 1) / width);
  const std::int64_t cycle = clk.cycle_of(arrival);
  std::int64_t at;
  if (p.is_write()) {
    at = writes.write(cycle, beats) + writes.latency();
  } else {
    const std::int64_t first = reads.read(cycle, beats);
    at = whole ? reads.free() : first;
  }
  return std::max(clk.at(at), arrival);
}

memory::memory(sc_core::sc_module_name name, const memory_options &o)
    : sc_module(name), socket("socket") {
  systole_axi_timing ports[2];
  if (systole_axi_ports(ports, o.preset.c_str(), o.bus_bytes, o.clock_mhz) != 0 ||
      (o.port != 0 && o.port != 1)) {
    throw std::invalid_argument("no memory is called \"" + o.preset + "\"");
  }
  body_ = std::make_unique<body>(o, ports[o.port]);
  const std::uint64_t page = SYSTOLE_AXI_STORE_ALIGN;
  if (o.bytes == 0 || o.base % page != 0 || o.base + (o.bytes - 1) < o.base) {
    throw std::invalid_argument(
        "a memory's base is a multiple of 4096 and its size not 0");
  }
  body_->shift = o.base == 0 ? page : 0;
  body_->store = systole_axi_store_create(o.base + body_->shift, o.bytes);
  if (body_->store == nullptr) throw std::bad_alloc();
  /* No block is at address 0, which means none. */
  if (o.base == 0) (void)systole_axi_store_alloc(body_->store, page);
  socket.register_b_transport(this, &memory::b_transport);
  socket.register_nb_transport_fw(this, &memory::nb_transport);
  socket.register_get_direct_mem_ptr(this, &memory::get_dmi);
  socket.register_transport_dbg(this, &memory::dbg);
}

memory::~memory() = default;

std::uint64_t memory::alloc(std::uint64_t bytes) {
  const std::uint64_t address = systole_axi_store_alloc(body_->store, bytes);
  return address == 0 ? 0 : address - body_->shift;
}

bool memory::release(std::uint64_t address) {
  return systole_axi_store_release(body_->store, address + body_->shift) == 0;
}

void memory::usage(std::uint64_t *used, std::uint64_t *longest) const {
  systole_axi_store_usage(body_->store, used, longest);
}

std::uint8_t *memory::at(std::uint64_t address, std::uint64_t bytes) {
  return systole_axi_store_at(body_->store, address + body_->shift, bytes);
}

void memory::refuse(std::uint64_t first, std::uint64_t last) {
  body_->refuses = first <= last;
  body_->refused_first = first;
  body_->refused_last = last;
  for (unsigned i = 0; i < socket.size(); i++) {
    socket[static_cast<int>(i)]->invalidate_direct_mem_ptr(0, ~sc_dt::uint64(0));
  }
}

void memory::b_transport(int, tlm::tlm_generic_payload &payload,
                         sc_core::sc_time &delay) {
  const sc_core::sc_time now = sc_core::sc_time_stamp();
  body_->move(payload);
  payload.set_dmi_allowed(body_->options.dmi && !body_->refuses);
  delay = body_->answer(payload, now + delay, true) - now;
}

// Knows at once when it will answer, and says so on the return path.
tlm::tlm_sync_enum memory::nb_transport(int, tlm::tlm_generic_payload &payload,
                                        tlm::tlm_phase &phase, sc_core::sc_time &delay) {
  if (phase != tlm::BEGIN_REQ) return tlm::TLM_COMPLETED;  // END_RESP
  const sc_core::sc_time now = sc_core::sc_time_stamp();
  body_->move(payload);
  payload.set_dmi_allowed(body_->options.dmi && !body_->refuses);
  delay = body_->answer(payload, now + delay, false) - now;
  phase = tlm::BEGIN_RESP;
  return tlm::TLM_UPDATED;
}

bool memory::get_dmi(int, tlm::tlm_generic_payload &, tlm::tlm_dmi &dmi) {
  systole_axi_store *store = body_->store;
  dmi.init();
  dmi.set_start_address(store->base - body_->shift);
  dmi.set_end_address(store->base - body_->shift + (store->bytes - 1));
  if (!body_->options.dmi || body_->refuses) return false;
  dmi.set_dmi_ptr(store->data);
  dmi.allow_read_write();
  dmi.set_read_latency(body_->clk.at(body_->reads.latency()));
  dmi.set_write_latency(body_->clk.at(body_->writes.latency()));
  return true;
}

unsigned memory::dbg(int, tlm::tlm_generic_payload &payload) {
  systole_axi_store *store = body_->store;
  const std::uint64_t address = payload.get_address() + body_->shift;
  if (systole_axi_store_at(store, address, 1) == nullptr) return 0;
  const std::uint64_t left = store->base + store->bytes - address;
  const unsigned bytes =
      static_cast<unsigned>(std::min<std::uint64_t>(left, payload.get_data_length()));
  std::uint8_t *at = systole_axi_store_at(store, address, bytes);
  if (payload.is_read()) std::memcpy(payload.get_data_ptr(), at, bytes);
  if (payload.is_write()) std::memcpy(at, payload.get_data_ptr(), bytes);
  return bytes;
}

}  // namespace systole
