// libsystole on an initiator socket.
#include <algorithm>
#include <cstring>

#include "systole/systemc.h"

namespace systole {

namespace {
constexpr unsigned kPiece = 4096;  // bytes of an access without DMI
}  // namespace

struct driver::body {
  body(driver &self, const driver_map &m) : owner(self), map(m) {}

  driver &owner;
  driver_map map;
  bool has_dmi = false;
  tlm::tlm_dmi dmi;

  bool transport(bool write, std::uint64_t address, std::uint8_t *data, unsigned bytes) {
    tlm::tlm_generic_payload payload;
    sc_core::sc_time delay = sc_core::SC_ZERO_TIME;
    payload.set_command(write ? tlm::TLM_WRITE_COMMAND : tlm::TLM_READ_COMMAND);
    payload.set_address(address);
    payload.set_data_ptr(data);
    payload.set_data_length(bytes);
    payload.set_streaming_width(bytes);
    payload.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
    owner.socket->b_transport(payload, delay);
    if (delay > sc_core::SC_ZERO_TIME) sc_core::wait(delay);
    return payload.is_response_ok();
  }

  unsigned char *direct(bool write, std::uint64_t address, std::uint64_t bytes) {
    const std::uint64_t last = address + (bytes - 1);
    const auto inside = [&] {
      return has_dmi && address >= dmi.get_start_address() &&
             last <= dmi.get_end_address() &&
             (write ? dmi.is_write_allowed() : dmi.is_read_allowed());
    };
    if (!inside()) {
      tlm::tlm_generic_payload ask;
      ask.set_address(address);
      ask.set_command(write ? tlm::TLM_WRITE_COMMAND : tlm::TLM_READ_COMMAND);
      has_dmi = owner.socket->get_direct_mem_ptr(ask, dmi);
    }
    return inside() ? dmi.get_dmi_ptr() + (address - dmi.get_start_address()) : nullptr;
  }

  systole_status move(bool write, std::uint64_t address, std::uint8_t *data,
                      std::uint64_t bytes) {
    unsigned char *memory = direct(write, address, bytes);
    if (memory != nullptr) {
      std::memcpy(write ? memory : data, write ? data : memory, bytes);
      return SYSTOLE_OK;
    }
    while (bytes > 0) {
      const auto now = static_cast<unsigned>(
          std::min<std::uint64_t>(bytes, kPiece - address % kPiece));
      if (!transport(write, address, data, now)) return SYSTOLE_ERR_DEVICE;
      address += now;
      data += now;
      bytes -= now;
    }
    return SYSTOLE_OK;
  }

  static body *of(void *user) { return static_cast<body *>(user); }
  static systole_status read_register(void *user, uint32_t offset, uint32_t *value) {
    body *b = of(user);
    auto *word = reinterpret_cast<std::uint8_t *>(value);
    return b->transport(false, b->map.registers + offset, word, 4) ? SYSTOLE_OK
                                                                   : SYSTOLE_ERR_DEVICE;
  }
  static systole_status write_register(void *user, uint32_t offset, uint32_t value) {
    body *b = of(user);
    auto *word = reinterpret_cast<std::uint8_t *>(&value);
    return b->transport(true, b->map.registers + offset, word, 4) ? SYSTOLE_OK
                                                                  : SYSTOLE_ERR_DEVICE;
  }
  static systole_status read(void *user, int, uint64_t address, void *data,
                             uint64_t bytes) {
    return of(user)->move(false, address, static_cast<std::uint8_t *>(data), bytes);
  }
  static systole_status write(void *user, int, uint64_t address, const void *data,
                              uint64_t bytes) {
    auto *from = static_cast<std::uint8_t *>(const_cast<void *>(data));
    return of(user)->move(true, address, from, bytes);
  }
  // Milliseconds of the simulation, not of the person who waits.
  static systole_status wait(void *user, uint32_t slice_ms) {
    driver &d = of(user)->owner;
    if (!d.interrupt.read()) {
      sc_core::wait(sc_core::sc_time(slice_ms, sc_core::SC_MS),
                    d.interrupt.posedge_event());
    }
    return SYSTOLE_OK;
  }
};

driver::driver(sc_core::sc_module_name name, const driver_map &map)
    : sc_module(name),
      socket("socket"),
      interrupt("interrupt"),
      body_(std::make_unique<body>(*this, map)) {
  socket.register_invalidate_direct_mem_ptr(this, &driver::invalidate);
}

driver::~driver() = default;

void driver::invalidate(sc_dt::uint64, sc_dt::uint64) { body_->has_dmi = false; }

systole_bus driver::bus() {
  systole_bus bus = SYSTOLE_BUS_INIT;
  bus.name = name();
  bus.user = body_.get();
  bus.read_register = body::read_register;
  bus.write_register = body::write_register;
  bus.read = body::read;
  bus.write = body::write;
  bus.wait = body::wait;
  for (int port = 0; port < 2; port++) {
    bus.memory_base[port] = body_->map.memory_base[port];
    bus.memory_bytes[port] = body_->map.memory_bytes[port];
  }
  bus.clock_mhz = body_->map.clock_mhz;
  return bus;
}

}  // namespace systole
