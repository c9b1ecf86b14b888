// A shift register: data_o is data_i of Cycles cycles ago. Cycles may be 0 (a wire).
// Not reset; a valid bit that must start at zero asks for Reset = 1.
`default_nettype none

module systole_delay #(
  parameter int Width  = 8, // bits
  parameter int Cycles = 1, // 0 and up
  parameter int Reset  = 0  // 1: cleared by reset
) (
  input  logic             clk_i,
  input  logic             rst_ni,
  input  logic [Width-1:0] data_i,
  output logic [Width-1:0] data_o
);
  if (Cycles == 0) begin : g_wire
    logic unused;
    assign unused = clk_i ^ rst_ni;
    assign data_o = data_i;
  end else begin : g_registers
    logic [Width*Cycles-1:0] stages_q;
    if (Cycles == 1) begin : g_one
      always_ff @(posedge clk_i) begin
        stages_q <= data_i;
        if (Reset != 0 && !rst_ni) stages_q <= '0;
      end
    end else begin : g_many
      always_ff @(posedge clk_i) begin
        stages_q <= {stages_q[Width*(Cycles-1)-1:0], data_i};
        if (Reset != 0 && !rst_ni) stages_q <= '0;
      end
    end
    assign data_o = stages_q[Width*(Cycles-1) +: Width];
  end

  initial begin
    if (Width < 1 || Cycles < 0) $fatal(1, "systole_delay: Width must be >= 1 and Cycles >= 0");
  end
endmodule

`default_nettype wire
