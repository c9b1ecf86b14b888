// A stand-in for the kernel that breaks on purpose, to see what the harness makes of it. The
// pins and registers are the kernel's; the number of instructions chooses what a run does.
// A good run writes one beat to the activations pointer and is done.
`default_nettype none

// Something inside, so that a failed assertion has a path to name.
module systole_inner (
  input logic       clk_i,
  input logic       rst_ni,
  input logic [1:0] count_i
);
  always_ff @(posedge clk_i) begin : CountIsNeverTwo
    if (rst_ni) assert (count_i != 2'd2);
  end
endmodule

module systole #(
  parameter int Dim       = 2,
  parameter int AxiBytes  = 4,
  parameter int FlatArray = 1
) (
  input  logic                  ap_clk,
  input  logic                  ap_rst_n,
  output logic                  interrupt,
  input  logic                  s_axi_control_awvalid,
  output logic                  s_axi_control_awready,
  input  logic [11:0]           s_axi_control_awaddr,
  input  logic                  s_axi_control_wvalid,
  output logic                  s_axi_control_wready,
  input  logic [31:0]           s_axi_control_wdata,
  input  logic [3:0]            s_axi_control_wstrb,
  input  logic                  s_axi_control_arvalid,
  output logic                  s_axi_control_arready,
  input  logic [11:0]           s_axi_control_araddr,
  output logic                  s_axi_control_rvalid,
  input  logic                  s_axi_control_rready,
  output logic [31:0]           s_axi_control_rdata,
  output logic [1:0]            s_axi_control_rresp,
  output logic                  s_axi_control_bvalid,
  input  logic                  s_axi_control_bready,
  output logic [1:0]            s_axi_control_bresp,
  output logic                  m_axi_gmem0_awvalid,
  input  logic                  m_axi_gmem0_awready,
  output logic [63:0]           m_axi_gmem0_awaddr,
  output logic [7:0]            m_axi_gmem0_awlen,
  output logic [2:0]            m_axi_gmem0_awsize,
  output logic [1:0]            m_axi_gmem0_awburst,
  output logic                  m_axi_gmem0_wvalid,
  input  logic                  m_axi_gmem0_wready,
  output logic [8*AxiBytes-1:0] m_axi_gmem0_wdata,
  output logic [AxiBytes-1:0]   m_axi_gmem0_wstrb,
  output logic                  m_axi_gmem0_wlast,
  input  logic                  m_axi_gmem0_bvalid,
  output logic                  m_axi_gmem0_bready,
  input  logic [1:0]            m_axi_gmem0_bresp,
  output logic                  m_axi_gmem0_arvalid,
  input  logic                  m_axi_gmem0_arready,
  output logic [63:0]           m_axi_gmem0_araddr,
  output logic [7:0]            m_axi_gmem0_arlen,
  output logic [2:0]            m_axi_gmem0_arsize,
  output logic [1:0]            m_axi_gmem0_arburst,
  input  logic                  m_axi_gmem0_rvalid,
  output logic                  m_axi_gmem0_rready,
  input  logic [8*AxiBytes-1:0] m_axi_gmem0_rdata,
  input  logic                  m_axi_gmem0_rlast,
  input  logic [1:0]            m_axi_gmem0_rresp,
  output logic                  m_axi_gmem1_arvalid,
  input  logic                  m_axi_gmem1_arready,
  output logic [63:0]           m_axi_gmem1_araddr,
  output logic [7:0]            m_axi_gmem1_arlen,
  output logic [2:0]            m_axi_gmem1_arsize,
  output logic [1:0]            m_axi_gmem1_arburst,
  input  logic                  m_axi_gmem1_rvalid,
  output logic                  m_axi_gmem1_rready,
  input  logic [8*AxiBytes-1:0] m_axi_gmem1_rdata,
  input  logic                  m_axi_gmem1_rlast,
  input  logic [1:0]            m_axi_gmem1_rresp
);
  // The same numbers as in broken_test.c.
  localparam logic [31:0] FailAssertion = 2;
  localparam logic [31:0] CallFatal     = 3;
  localparam logic [31:0] CallFinish    = 4;
  localparam logic [31:0] DropValid     = 5;
  localparam logic [31:0] Cross4K       = 6;
  localparam logic [31:0] DoneTooEarly  = 7;
  localparam logic [31:0] LookAtInput   = 8;
  localparam logic [31:0] NeverDone     = 9;
  localparam logic [31:0] NotConverge   = 10;
  localparam logic [31:0] BadLast       = 11;
  localparam logic [31:0] NoDoneBit     = 12;

  typedef enum logic [2:0] {Idle, Address, Data, Answer, Read, Wait, Stuck} state_e;
  state_e      state_q;
  logic [31:0] mode_q;
  logic [63:0] pointer_q;
  logic        done_q, status_q, mask_q, enable_q;
  logic        drop_q;

  // ---- control registers ----
  logic        have_address_q, have_data_q;
  logic [11:0] address_q;
  logic [31:0] data_q;
  assign s_axi_control_awready = !have_address_q;
  assign s_axi_control_wready  = !have_data_q;
  assign s_axi_control_arready = !s_axi_control_rvalid;
  assign s_axi_control_bresp   = '0;
  assign s_axi_control_rresp   = '0;
  assign interrupt             = enable_q && mask_q && status_q;
  logic write, finish;
  assign write = have_address_q && have_data_q && !s_axi_control_bvalid;

  always_ff @(posedge ap_clk) begin
    if (s_axi_control_awvalid && s_axi_control_awready) begin
      have_address_q <= 1'b1;
      address_q      <= s_axi_control_awaddr;
    end
    if (s_axi_control_wvalid && s_axi_control_wready) begin
      have_data_q <= 1'b1;
      data_q      <= s_axi_control_wdata;
    end
    if (write) begin
      s_axi_control_bvalid <= 1'b1;
      case (int'(address_q))
        systole_pkg::RegInterruptEnable: enable_q <= data_q[0];
        systole_pkg::RegInterruptMask: mask_q <= data_q[0];
        systole_pkg::RegInterruptStatus: status_q <= status_q ^ data_q[0];
        systole_pkg::RegActivations: pointer_q[31:0] <= data_q;
        systole_pkg::RegActivations + 4: pointer_q[63:32] <= data_q;
        systole_pkg::RegInstructions: mode_q <= data_q;
        default: ;
      endcase
    end
    if (s_axi_control_bvalid && s_axi_control_bready) begin
      s_axi_control_bvalid <= 1'b0;
      have_address_q       <= 1'b0;
      have_data_q          <= 1'b0;
    end
    if (s_axi_control_arvalid && s_axi_control_arready) begin
      s_axi_control_rvalid <= 1'b1;
      case (int'(s_axi_control_araddr))
        systole_pkg::RegControl: begin
          s_axi_control_rdata <= {30'b0, done_q, state_q != Idle};
          done_q              <= 1'b0;
        end
        systole_pkg::RegIdentity: s_axi_control_rdata <= systole_pkg::IdentityValue;
        systole_pkg::RegVersion: s_axi_control_rdata <= systole_pkg::IsaVersion;
        systole_pkg::RegGeometry: s_axi_control_rdata <= 32'h01010201;
        default: s_axi_control_rdata <= '0;
      endcase
    end
    if (s_axi_control_rvalid && s_axi_control_rready) s_axi_control_rvalid <= 1'b0;
    if (finish) begin
      done_q   <= mode_q != NoDoneBit;
      status_q <= 1'b1;
    end
    if (!ap_rst_n) begin
      s_axi_control_bvalid <= 1'b0;
      s_axi_control_rvalid <= 1'b0;
      have_address_q       <= 1'b0;
      have_data_q          <= 1'b0;
      enable_q             <= 1'b0;
      mask_q               <= 1'b0;
      status_q             <= 1'b0;
      done_q               <= 1'b0;
      mode_q               <= '0;
    end
  end

  // ---- a run ----
  always_ff @(posedge ap_clk) begin
    finish <= 1'b0;
    drop_q <= 1'b0;
    case (state_q)
      Idle:
        if (write && int'(address_q) == systole_pkg::RegControl && data_q[0]) begin
          case (mode_q)
            DropValid: begin
              drop_q  <= 1'b1;
              state_q <= Stuck;
            end
            Cross4K, DoneTooEarly, LookAtInput: state_q <= Read;
            NeverDone: state_q <= Stuck;
            default: state_q <= Address;
          endcase
        end
      Address: if (m_axi_gmem0_awready) state_q <= Data;
      Data: if (m_axi_gmem0_wready) state_q <= Answer;
      Answer:
        if (m_axi_gmem0_bvalid) begin
          state_q <= Idle;
          finish  <= 1'b1;
        end
      Read:
        if (m_axi_gmem0_arready) begin
          state_q <= mode_q == DoneTooEarly ? Idle : Wait;
          finish  <= mode_q == DoneTooEarly;
        end
      Wait:
        if (m_axi_gmem0_rvalid && m_axi_gmem0_rlast) begin
          state_q <= Idle;
          finish  <= 1'b1;
        end
      default: ;
    endcase
    if (state_q == Data && mode_q == CallFatal) $fatal(1, "the kernel has had enough");
    if (state_q == Data && mode_q == CallFinish) $finish;
    if (!ap_rst_n) state_q <= Idle;
  end

  // A ring that never settles while it is enabled.
  logic ring_a, ring_b, ring_on_q;
  always_ff @(posedge ap_clk) ring_on_q <= ap_rst_n && state_q == Data && mode_q == NotConverge;
  assign ring_a = ring_on_q && !ring_b;
  assign ring_b = ring_a;

  systole_inner u_inner (
    .clk_i(ap_clk),
    .rst_ni(ap_rst_n),
    .count_i((state_q == Data && mode_q == FailAssertion) ? 2'd2 : 2'd0)
  );

  // ---- memory ports ----
  assign m_axi_gmem0_awvalid = state_q == Address;
  assign m_axi_gmem0_awaddr  = pointer_q;
  assign m_axi_gmem0_awlen   = '0;
  assign m_axi_gmem0_awsize  = 3'($clog2(AxiBytes));
  assign m_axi_gmem0_awburst = 2'd1;
  assign m_axi_gmem0_wvalid  = state_q == Data || drop_q;
  assign m_axi_gmem0_wdata   = {31'b0, ring_b};
  assign m_axi_gmem0_wstrb   = '1;
  assign m_axi_gmem0_wlast   = mode_q != BadLast;
  assign m_axi_gmem0_bready  = state_q == Answer;
  assign m_axi_gmem0_arvalid = state_q == Read;
  assign m_axi_gmem0_araddr  = mode_q == Cross4K ? pointer_q + 64'd4092 : pointer_q;
  assign m_axi_gmem0_arlen   = 8'd1;
  assign m_axi_gmem0_arsize  = 3'($clog2(AxiBytes));
  assign m_axi_gmem0_arburst = 2'd1;
  assign m_axi_gmem0_rready  = mode_q == LookAtInput ? m_axi_gmem0_rvalid : 1'b1;
  assign m_axi_gmem1_arvalid = 1'b0;
  assign m_axi_gmem1_araddr  = '0;
  assign m_axi_gmem1_arlen   = '0;
  assign m_axi_gmem1_arsize  = 3'($clog2(AxiBytes));
  assign m_axi_gmem1_arburst = 2'd1;
  assign m_axi_gmem1_rready  = 1'b1;
endmodule

`default_nettype wire
