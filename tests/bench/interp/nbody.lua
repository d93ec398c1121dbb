-- nbody.lua: the five-body problem with the arithmetic of hex/programs/nbody.asm; returns the energy after n steps.
local sqrt = math.sqrt

local function bodies()
  return {
    { x = 0.0, y = 0.0, z = 0.0, vx = 0.0, vy = 0.0, vz = 0.0, mass = 39.47841760435743 },
    { x = 4.841431442464721, y = -1.1603200440274284, z = -0.10362204447112311,
      vx = 0.606326392995832, vy = 2.81198684491626, vz = -0.02521836165988763, mass = 0.03769367487038949 },
    { x = 8.34336671824458, y = 4.124798564124305, z = -0.4035234171143214,
      vx = -1.0107743461771468, vy = 1.8256623712304119, vz = 0.008415761376584154, mass = 0.011286326131968767 },
    { x = 12.894369562139131, y = -15.111151401698631, z = -0.22330757889265573,
      vx = 1.0827910064415354, vy = 0.8687130181696082, vz = -0.010832637401363636, mass = 0.0017237240570597112 },
    { x = 15.379697114850917, y = -25.919314609987964, z = 0.17925877295037118,
      vx = 0.979090732243898, vy = 0.5946989986476762, vz = -0.034755955504078104, mass = 0.0020336868699246304 },
  }
end

local function offset_momentum(all)
  local px, py, pz = 0.0, 0.0, 0.0
  for i = 1, #all do
    local b = all[i]
    px, py, pz = px + b.vx * b.mass, py + b.vy * b.mass, pz + b.vz * b.mass
  end
  local sun = all[1]
  sun.vx, sun.vy, sun.vz = -(px / sun.mass), -(py / sun.mass), -(pz / sun.mass)
end

local function energy(all)
  local e = 0.0
  for i = 1, #all do
    local b = all[i]
    e = e + (b.vx * b.vx + b.vy * b.vy + b.vz * b.vz) * b.mass * 0.5
    for j = i + 1, #all do
      local c = all[j]
      local dx, dy, dz = b.x - c.x, b.y - c.y, b.z - c.z
      e = e - c.mass * b.mass / sqrt(dx * dx + dy * dy + dz * dz)
    end
  end
  return e
end

local function advance(all, dt)
  local n = #all
  for i = 1, n do
    local b = all[i]
    local x, y, z, vx, vy, vz, mass = b.x, b.y, b.z, b.vx, b.vy, b.vz, b.mass
    for j = i + 1, n do
      local c = all[j]
      local dx, dy, dz = x - c.x, y - c.y, z - c.z
      local square = dx * dx + dy * dy + dz * dz
      local pull = dt / (square * sqrt(square))
      local u = c.mass * pull
      vx, vy, vz = vx - dx * u, vy - dy * u, vz - dz * u
      u = mass * pull
      c.vx, c.vy, c.vz = c.vx + dx * u, c.vy + dy * u, c.vz + dz * u
    end
    b.vx, b.vy, b.vz = vx, vy, vz
    b.x, b.y, b.z = x + vx * dt, y + vy * dt, z + vz * dt
  end
end

return function(n)
  local all = bodies()
  offset_momentum(all)
  for _ = 1, n do advance(all, 0.01) end
  return energy(all)
end
