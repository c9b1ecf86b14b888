// Passes transactions on by their address.
#include <algorithm>
#include <stdexcept>
#include <unordered_map>
#include <vector>

#include "systole/systemc.h"

namespace systole {

struct router::body {
  struct place {
    std::uint64_t base, bytes;
    bool relative;
    bool has(std::uint64_t address) const { return address - base < bytes; }
  };
  std::vector<place> places;  // in the order of the targets
  struct way {
    int initiator, target;
  };
  std::unordered_map<tlm::tlm_generic_payload *, way> ways;  // of what is under way

  int target(std::uint64_t address) const {
    for (std::size_t i = 0; i < places.size(); i++) {
      if (places[i].has(address)) return static_cast<int>(i);
    }
    return -1;
  }
  // The address as the target sees it.
  std::uint64_t inner(int target, std::uint64_t address) const {
    const place &p = places[static_cast<std::size_t>(target)];
    return p.relative ? address - p.base : address;
  }
};

router::router(sc_core::sc_module_name name)
    : sc_module(name), from("from"), to("to"), body_(std::make_unique<body>()) {
  from.register_b_transport(this, &router::b_transport);
  from.register_nb_transport_fw(this, &router::nb_fw);
  from.register_get_direct_mem_ptr(this, &router::get_dmi);
  from.register_transport_dbg(this, &router::dbg);
  to.register_nb_transport_bw(this, &router::nb_bw);
  to.register_invalidate_direct_mem_ptr(this, &router::invalidate);
}

router::~router() = default;

void router::add(std::uint64_t base, std::uint64_t bytes, bool relative) {
  for (const body::place &p : body_->places) {
    if (bytes == 0 || base + (bytes - 1) < base || p.has(base) ||
        p.has(base + (bytes - 1)) || (base < p.base && base + (bytes - 1) > p.base)) {
      throw std::invalid_argument("a target's addresses are empty or another's as well");
    }
  }
  body_->places.push_back({base, bytes, relative});
}

void router::b_transport(int, tlm::tlm_generic_payload &payload,
                         sc_core::sc_time &delay) {
  const std::uint64_t address = payload.get_address();
  const int target = body_->target(address);
  if (target < 0) {
    payload.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
    return;
  }
  payload.set_address(body_->inner(target, address));
  to[target]->b_transport(payload, delay);
  payload.set_address(address);
}

tlm::tlm_sync_enum router::nb_fw(int initiator, tlm::tlm_generic_payload &payload,
                                 tlm::tlm_phase &phase, sc_core::sc_time &delay) {
  int target;
  if (phase == tlm::BEGIN_REQ) {
    const std::uint64_t address = payload.get_address();
    target = body_->target(address);
    if (target < 0) {
      payload.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
      return tlm::TLM_COMPLETED;
    }
    payload.set_address(body_->inner(target, address));
    body_->ways[&payload] = {initiator, target};
  } else {
    const auto found = body_->ways.find(&payload);
    if (found == body_->ways.end()) return tlm::TLM_COMPLETED;
    target = found->second.target;
  }
  const bool ends = phase == tlm::END_RESP;
  const tlm::tlm_sync_enum status = to[target]->nb_transport_fw(payload, phase, delay);
  if (status == tlm::TLM_COMPLETED || ends) body_->ways.erase(&payload);
  return status;
}

tlm::tlm_sync_enum router::nb_bw(int, tlm::tlm_generic_payload &payload,
                                 tlm::tlm_phase &phase, sc_core::sc_time &delay) {
  const auto found = body_->ways.find(&payload);
  if (found == body_->ways.end()) return tlm::TLM_COMPLETED;
  const int initiator = found->second.initiator;
  const tlm::tlm_sync_enum status =
      from[initiator]->nb_transport_bw(payload, phase, delay);
  if (status == tlm::TLM_COMPLETED) body_->ways.erase(&payload);
  return status;
}

bool router::get_dmi(int, tlm::tlm_generic_payload &payload, tlm::tlm_dmi &dmi) {
  const std::uint64_t address = payload.get_address();
  const int target = body_->target(address);
  if (target < 0) return false;
  const body::place &p = body_->places[static_cast<std::size_t>(target)];
  payload.set_address(body_->inner(target, address));
  const bool granted = to[target]->get_direct_mem_ptr(payload, dmi);
  payload.set_address(address);
  if (p.relative) {
    const std::uint64_t last =
        std::min<std::uint64_t>(dmi.get_end_address(), p.bytes - 1);
    dmi.set_start_address(dmi.get_start_address() + p.base);
    dmi.set_end_address(p.base + last);
  }
  return granted;
}

unsigned router::dbg(int, tlm::tlm_generic_payload &payload) {
  const std::uint64_t address = payload.get_address();
  const int target = body_->target(address);
  if (target < 0) return 0;
  payload.set_address(body_->inner(target, address));
  const unsigned bytes = to[target]->transport_dbg(payload);
  payload.set_address(address);
  return bytes;
}

void router::invalidate(int target, sc_dt::uint64 first, sc_dt::uint64 last) {
  const body::place &p = body_->places[static_cast<std::size_t>(target)];
  if (p.relative) {
    first = p.base + std::min<sc_dt::uint64>(first, p.bytes - 1);
    last = p.base + std::min<sc_dt::uint64>(last, p.bytes - 1);
  }
  for (unsigned i = 0; i < from.size(); i++) {
    from[static_cast<int>(i)]->invalidate_direct_mem_ptr(first, last);
  }
}

}  // namespace systole
