// What the platform of the card is made of, and how it hangs together.
#include "platform.h"

#include <algorithm>
#include <cstring>

#include "card/systole_isa.h"
#include "memory/axi_memory.h"

namespace systole {

namespace {

// Where things are. Memory as in the other simulated cards: above 4 GiB and far apart.
constexpr std::uint64_t kRegisters = 0x10000000;
constexpr std::uint64_t kRegisterSpan = 0x1000;
constexpr std::uint64_t kBases[2] = {0x100000000000, 0x200000000000};
constexpr unsigned kTrafficBeats = 64;   // of a burst of the second initiator
constexpr std::size_t kTrafficOpen = 4;  // bursts of it under way
constexpr unsigned kPiece = 4096;        // bytes of a copy without DMI

}  // namespace

// ---- the CPU
// -----------------------------------------------------------------------------

cpu::cpu(sc_core::sc_module_name name, std::uint64_t registers)
    : sc_module(name), socket("socket"), interrupt("interrupt"), registers_(registers) {
  SC_HAS_PROCESS(cpu);
  socket.register_invalidate_direct_mem_ptr(this, &cpu::invalidate);
  SC_THREAD(work);
  SC_THREAD(serve);
}

bool cpu::transport(bool write, std::uint64_t address, std::uint8_t *data,
                    unsigned bytes) {
  tlm::tlm_generic_payload payload;
  sc_core::sc_time delay = sc_core::SC_ZERO_TIME;
  payload.set_command(write ? tlm::TLM_WRITE_COMMAND : tlm::TLM_READ_COMMAND);
  payload.set_address(address);
  payload.set_data_ptr(data);
  payload.set_data_length(bytes);
  payload.set_streaming_width(bytes);
  payload.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
  socket->b_transport(payload, delay);
  if (delay > sc_core::SC_ZERO_TIME) sc_core::wait(delay);
  return payload.is_response_ok();
}

unsigned char *cpu::direct(const access &a) {
  const std::uint64_t last = a.address + (a.bytes - 1);
  if (!has_dmi_ || a.address < dmi_.get_start_address() ||
      last > dmi_.get_end_address()) {
    tlm::tlm_generic_payload ask;
    ask.set_address(a.address);
    ask.set_command(a.write ? tlm::TLM_WRITE_COMMAND : tlm::TLM_READ_COMMAND);
    has_dmi_ = socket->get_direct_mem_ptr(ask, dmi_);
  }
  if (!has_dmi_ || a.address < dmi_.get_start_address() ||
      last > dmi_.get_end_address() ||
      !(a.write ? dmi_.is_write_allowed() : dmi_.is_read_allowed())) {
    return nullptr;
  }
  return dmi_.get_dmi_ptr() + (a.address - dmi_.get_start_address());
}

void cpu::invalidate(sc_dt::uint64, sc_dt::uint64) { has_dmi_ = false; }

void cpu::work() {
  for (;;) {
    while (now_.done) sc_core::wait(asked_);
    unsigned char *memory = direct(now_);
    now_.good = true;
    if (memory != nullptr) {
      std::memcpy(now_.write ? memory : now_.data, now_.write ? now_.data : memory,
                  now_.bytes);
    } else {
      for (std::uint64_t at = 0; at < now_.bytes && now_.good;) {
        const std::uint64_t address = now_.address + at;
        const auto bytes = static_cast<unsigned>(
            std::min<std::uint64_t>(now_.bytes - at, kPiece - address % kPiece));
        now_.good = transport(now_.write, address, now_.data + at, bytes);
        at += bytes;
      }
    }
    now_.done = true;
    sc_core::sc_pause();
  }
}

void cpu::serve() {
  for (;;) {
    sc_core::wait(interrupt.posedge_event());
    std::uint32_t status = 0;
    auto *word = reinterpret_cast<std::uint8_t *>(&status);
    transport(false, registers_ + SYSTOLE_REG_INTERRUPT_STATUS, word, sizeof status);
    transport(true, registers_ + SYSTOLE_REG_INTERRUPT_STATUS, word, sizeof status);
    interrupted = true;
    sc_core::sc_pause();
  }
}

bool cpu::perform(bool write, std::uint64_t address, const void *data,
                  std::uint64_t bytes) {
  if (bytes == 0) return true;
  now_.write = write;
  now_.address = address;
  now_.bytes = bytes;
  now_.data = static_cast<std::uint8_t *>(const_cast<void *>(data));
  now_.done = false;
  asked_.notify(sc_core::SC_ZERO_TIME);
  while (!now_.done) {
    sc_core::sc_start();
    if (!now_.done && !sc_core::sc_pending_activity()) {
      throw std::logic_error("an access of the CPU does not end");
    }
  }
  return now_.good;
}

bool cpu::write_register(std::uint32_t offset, std::uint32_t value) {
  return perform(true, registers_ + offset, &value, sizeof value);
}

bool cpu::read_register(std::uint32_t offset, std::uint32_t *value) {
  return perform(false, registers_ + offset, value, sizeof *value);
}

bool cpu::write(std::uint64_t address, const void *data, std::uint64_t bytes) {
  return perform(true, address, data, bytes);
}

bool cpu::read(std::uint64_t address, void *data, std::uint64_t bytes) {
  return perform(false, address, data, bytes);
}

// ---- somebody else
// -----------------------------------------------------------------------

traffic::traffic(sc_core::sc_module_name name, std::uint64_t address, unsigned bytes,
                 sc_core::sc_time interval, std::function<bool()> on)
    : sc_module(name),
      socket("socket"),
      address_(address),
      data_(bytes),
      interval_(interval),
      on_(std::move(on)) {
  SC_HAS_PROCESS(traffic);
  SC_THREAD(work);
}

void traffic::work() {
  payload_.set_command(tlm::TLM_READ_COMMAND);
  payload_.set_data_ptr(data_.data());
  payload_.set_data_length(static_cast<unsigned>(data_.size()));
  payload_.set_streaming_width(static_cast<unsigned>(data_.size()));
  for (;;) {
    if (!on_()) {
      backs_.clear();
      sc_core::wait(begin_);
      continue;
    }
    const sc_core::sc_time before = sc_core::sc_time_stamp();
    sc_core::sc_time delay = sc_core::SC_ZERO_TIME;
    payload_.set_address(address_);
    payload_.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
    socket->b_transport(payload_, delay);
    if (payload_.is_response_ok()) bytes_ += data_.size();
    /* As many may be under way at once. */
    backs_.push_back(before + delay);
    sc_core::sc_time until = before + interval_;
    if (backs_.size() >= kTrafficOpen) {
      until = std::max(until, backs_.front());
      backs_.pop_front();
    }
    sc_core::wait(until - before);
  }
}

// ---- the whole
// ---------------------------------------------------------------------------

namespace {

memory_options memory_of(const platform_options &o, int port) {
  memory_options m;
  m.base = kBases[port];
  m.bytes = o.memory_bytes;
  m.preset = o.accelerator.memory;
  m.port = port;
  m.bus_bytes = o.accelerator.geometry.axi_bytes;
  m.clock_mhz = o.accelerator.clock_mhz;
  return m;
}

}  // namespace

platform::platform(const platform_options &o)
    : host("cpu", kRegisters),
      device("accelerator", o.accelerator),
      gmem0("gmem0", memory_of(o, 0)),
      gmem1("gmem1", memory_of(o, 1)),
      router_("router"),
      bus0_("bus0"),
      bus1_("bus1"),
      interrupt_("interrupt") {
  /* The CPU reaches everything, each port of the accelerator its own memory: a stray
   * address is an error, and nobody else's data. */
  host.socket.bind(router_.from);
  router_.map(device.control, kRegisters, kRegisterSpan, true);
  router_.map(bus0_.from, kBases[0], o.memory_bytes, false);
  router_.map(bus1_.from, kBases[1], o.memory_bytes, false);
  device.gmem0.bind(bus0_.from);
  device.gmem1.bind(bus1_.from);
  bus0_.map(gmem0.socket, kBases[0], o.memory_bytes, false);
  bus1_.map(gmem1.socket, kBases[1], o.memory_bytes, false);
  device.interrupt.bind(interrupt_);
  host.interrupt.bind(interrupt_);
  for (int port = 0; port < 2 && o.traffic > 0; port++) {
    const memory_options m = memory_of(o, port);
    systole_axi_timing laws[2];
    if (systole_axi_ports(laws, m.preset.c_str(), m.bus_bytes, m.clock_mhz) != 0)
      continue;
    const systole_axi_timing &law = laws[port];
    const double cycles = double{kTrafficBeats} * law.rate_cycles / law.rate_beats;
    traffic_[port] = std::make_unique<systole::traffic>(
        port == 0 ? "other0" : "other1", m.base,
        kTrafficBeats * static_cast<unsigned>(m.bus_bytes),
        device.cycle() * (cycles * 100.0 / o.traffic), [this] { return device.busy(); });
    traffic_[port]->socket.bind(port == 0 ? bus0_.from : bus1_.from);
  }
}

platform::~platform() = default;

bool platform::start(std::uint64_t program, std::uint64_t weights,
                     std::uint64_t activations, std::uint32_t instructions) {
  const auto pointer = [this](std::uint32_t offset, std::uint64_t value) {
    return host.write_register(offset, static_cast<std::uint32_t>(value)) &&
           host.write_register(offset + 4, static_cast<std::uint32_t>(value >> 32));
  };
  host.interrupted = false;
  bool good = host.write_register(SYSTOLE_REG_INTERRUPT_ENABLE, 1) &&
              host.write_register(SYSTOLE_REG_INTERRUPT_MASK, 1) &&
              pointer(SYSTOLE_REG_PROGRAM, program) &&
              pointer(SYSTOLE_REG_WEIGHTS, weights) &&
              pointer(SYSTOLE_REG_ACTIVATIONS, activations) &&
              host.write_register(SYSTOLE_REG_INSTRUCTIONS, instructions) &&
              host.write_register(SYSTOLE_REG_CONTROL, 1);
  for (const auto &t : traffic_) {
    if (t) t->begin();
  }
  return good;
}

std::uint64_t platform::traffic_bytes() const {
  std::uint64_t sum = 0;
  for (const auto &t : traffic_) sum += t ? t->bytes() : 0;
  return sum;
}

}  // namespace systole
