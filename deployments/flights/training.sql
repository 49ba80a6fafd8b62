-- One row for each flight that arrived: was it late, and what was known before
-- it left. Departure, time in the air and arrival are known too late to help,
-- so none of their columns is here.

SELECT
    flights.arr_delay >= 15 AS late,

    -- The split goes by it; the model does not see it.
    flights.time_hour,

    -- The plan.
    coalesce(airlines.name, flights.carrier) AS airline,
    flights.origin,
    flights.dest,
    flights.distance,
    flights.month,
    isodow(make_date(flights.year, flights.month, flights.day)) AS day_of_week,
    flights.hour,
    flights.minute,
    -- 1259 means 12:59; minutes after midnight have no gaps.
    flights.sched_arr_time // 100 * 60 + flights.sched_arr_time % 100 AS arrival_minute,

    -- Where it goes; four airports of the Caribbean are not in the table.
    airports.lat AS dest_lat,
    airports.lon AS dest_lon,
    airports.alt AS dest_alt,

    -- The weather at the airport in the hour of the planned departure. It was
    -- measured, and stands here for the forecast that is known beforehand.
    weather.temp,
    weather.dewp,
    weather.humid,
    weather.wind_dir,
    weather.wind_speed,
    weather.wind_gust,
    weather.precip,
    weather.pressure,
    weather.visib

FROM flights
-- Each of these has one row at most for a flight: what they join on is the key
-- that the pipeline file declares of them. LEFT, so that no flight is lost
-- where one of them has none.
LEFT JOIN airlines ON airlines.carrier = flights.carrier
LEFT JOIN airports ON airports.faa = flights.dest
LEFT JOIN weather ON weather.origin = flights.origin AND weather.time_hour = flights.time_hour

-- A flight that was cancelled or diverted has no delay on arrival: whether it
-- would have been late cannot be known, so there is nothing to learn from it.
WHERE flights.arr_delay IS NOT NULL

-- These three identify a flight, so the order is total: the sample and the
-- split take the same rows in every run.
ORDER BY flights.time_hour, flights.carrier, flights.flight
