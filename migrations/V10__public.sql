-- Whether anybody may see how busy a gym is: `off`, `levels` or `percent`.

ALTER TABLE gyms ADD COLUMN public TEXT NOT NULL DEFAULT 'off';
