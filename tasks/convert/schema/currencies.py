"""What currencies are called before a number: their codes, and what they are written as; as patterns."""

from __future__ import annotations

CODES = (  # ISO 4217, and those that euros took the place of
    "AED|AFN|ALL|AMD|ANG|AOA|ARS|AUD|AWG|AZN|BAM|BBD|BDT|BGN|BHD|BIF|BMD|BND|BOB|BRL|BSD|BTN|BWP|BYN|BZD|CAD|CDF"
    "|CHF|CLF|CLP|CNH|CNY|COP|CRC|CUP|CVE|CZK|DJF|DKK|DOP|DZD|EGP|ERN|ETB|EUR|FJD|FKP|GBP|GEL|GHS|GIP|GMD|GNF|GTQ"
    "|GYD|HKD|HNL|HTG|HUF|IDR|ILS|INR|IQD|IRR|ISK|JMD|JOD|JPY|KES|KGS|KHR|KMF|KPW|KRW|KWD|KYD|KZT|LAK|LBP|LKR|LRD"
    "|LSL|LYD|MAD|MDL|MGA|MKD|MMK|MNT|MOP|MRU|MUR|MVR|MWK|MXN|MYR|MZN|NAD|NGN|NIO|NOK|NPR|NZD|OMR|PAB|PEN|PGK|PHP"
    "|PKR|PLN|PYG|QAR|RON|RSD|RUB|RWF|SAR|SBD|SCR|SDG|SEK|SGD|SHP|SLE|SOS|SRD|SSP|STN|SVC|SYP|SZL|THB|TJS|TMT|TND"
    "|TOP|TRY|TTD|TWD|TZS|UAH|UGX|USD|UYU|UZS|VED|VES|VND|VUV|WST|XAF|XCD|XCG|XOF|XPF|YER|ZAR|ZMW|ZWG|ATS|BEF|DEM"
    "|ESP|FIM|FRF|GRD|HRK|IEP|ITL|LTL|LUF|LVL|NLG|PTE|EEK|SIT|SKK|CYP|MTL"
)
IN_ANY_CASE = "eur|euro|usd|gbp|chf|sfr|dm|rs|rp|rm|kr|kč|kc|ft|zł|zl|fr|lei|lek|din|baht|won|birr"
BEFORE_A_SIGN = "US|AU|A|CA|C|NZ|HK|SG|S|R|NT|MX|Z|J|TT|BZ|CN|JP|EC|Bs|Mex|Arg|Col"
"""What stands before $, £ or ¥ to tell whose it is, as US of US$."""
